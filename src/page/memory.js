/** What the process holds, whether it grows, and the check that names what leaks. */
import { call } from './api.js'
import { copyCurls } from './copy-curl.js'
import { byId, empty, fill, h, progress } from './dom.js'
import { renderFacts } from './facts.js'
import { mb, number } from './format.js'
import { showHeap } from './heap-flame.js'
import { renderLeakCheck } from './leak-check.js'
import { renderPlot } from './plot.js'
import { emit, on, state } from './state.js'

const LEAK_CHECK_ITERATIONS = 10
/** Half an hour of polls. */
const MAX_POINTS = 120
const view = { points: [], isChecking: false, note: '' }

export function startMemoryPanel() {
  const iterations = LEAK_CHECK_ITERATIONS
  fill(
    byId('memory-tools'),
    copyCurls(
      ['GET', '/memory/stats'],
      ['POST', '/memory/leak-check', { iterations }],
      ['DELETE', '/memory/document-cache'],
      ['GET', '/debug/heap-flame-graph']
    )
  )
  fill(byId('memory-body'), empty('Shown when the service answers.'))
  on('faults', paintCheck)
  paintCheck()
}

export async function loadMemory() {
  const { memory_stats } = await call('GET', '/memory/stats', { isQuiet: true })
  const point = { atS: Date.now() / 1000, mb: memory_stats.current_mb }
  view.points = [...view.points, point].slice(-MAX_POINTS)
  paintStats(memory_stats)
}

async function checkForLeaks() {
  if (view.isChecking) return
  Object.assign(view, { isChecking: true, note: '' })
  paintCheck()
  try {
    const body = { iterations: LEAK_CHECK_ITERATIONS }
    state.leakCheck = (await call('POST', '/memory/leak-check', { body })).leak_check
    emit('leak-check')
  } catch ({ message }) {
    view.note = message
  }
  view.isChecking = false
  paintCheck()
}

async function emptyCache() {
  try {
    const { freed_mb, entries } = await call('DELETE', '/memory/document-cache')
    view.note = `Emptied: ${entries === 1 ? '1 entry' : `${entries} entries`}, ${mb(freed_mb)} freed.`
    await loadMemory()
  } catch ({ message }) {
    view.note = message
  }
  paintCheck()
}

function paintStats(stats) {
  fill(
    byId('memory-body'),
    h('p', { class: 'conclusion small' }, judge(stats)),
    renderHeap(stats),
    renderFacts(collectFacts(stats))
  )
}

function paintCheck() {
  fill(byId('memory-check'), renderActions(), state.leakCheck && renderLeakCheck(state.leakCheck))
}

function renderActions() {
  return h(
    'div',
    { class: 'actions' },
    h(
      'button',
      {
        type: 'button',
        'data-key': 'check',
        'aria-disabled': String(view.isChecking),
        onclick: () => void checkForLeaks()
      },
      view.isChecking ? 'Checking …' : 'Check for leaks'
    ),
    h(
      'button',
      { type: 'button', 'data-key': 'empty', onclick: () => void emptyCache() },
      'Empty the document cache'
    ),
    h('button', { type: 'button', 'data-key': 'heap', onclick: () => void showHeap() }, 'Show what is alive'),
    view.isChecking && progress('Leak check'),
    h(
      'span',
      { role: 'status', class: 'quiet' },
      view.isChecking ? 'Running queries in a process of its own: up to ten seconds.' : view.note
    )
  )
}

function judge({ alerts, growth_mb_per_hour: growth }) {
  if (alerts.length > 0) return `Growing: ${alerts.join('; ')}`
  if (!growth.reliable) return 'Too early to tell whether the heap grows; the leak check tells at once.'
  return (
    `No alert: what collections leave grows by ${number(growth.estimate)} MB an hour ` +
    `(95 % sure: ${number(growth.low)} to ${number(growth.high)}).`
  )
}

/** The heap as this page saw it, over the floor as the service kept it, which goes back to before the page. */
function renderHeap({ floor_history, floor_mb }) {
  const seen = [
    ...view.points.map(({ atS, mb }) => ({ atS, heap: mb, floor: null })),
    ...floor_history.map(({ at, mb }) => ({ atS: Date.parse(at) / 1000, heap: null, floor: mb }))
  ].sort((a, b) => a.atS - b.atS)
  return renderPlot({
    x: seen.map(({ atS }) => atS),
    isTime: true,
    series: [
      { kind: 'heap', text: 'in use', values: seen.map(({ heap }) => heap) },
      {
        kind: 'floor',
        text: 'left by full garbage collections, without bounded caches',
        values: seen.map((each) => each.floor)
      }
    ],
    caption:
      floor_mb === null
        ? 'Heap in use; no full collection has come yet'
        : `Heap: the last full collection left ${mb(floor_mb)}`
  })
}

function describeGrowth({ estimate, low, high, reliable }) {
  return reliable ? `${number(estimate)} MB/h (${number(low)} to ${number(high)})` : 'too early to tell'
}

function collectFacts(stats) {
  const cache = stats.document_cache
  return {
    'Heap in use': mb(stats.current_mb),
    'Growth of what is left': describeGrowth(stats.growth_mb_per_hour),
    'Most seen': mb(stats.peak_mb),
    'Above the least seen': mb(stats.growth_mb),
    'Outside the heap': mb(stats.external_mb),
    'Whole process': mb(stats.rss_mb),
    'Document cache': `${cache.entries} entries, ${mb(cache.approx_mb)}`
  }
}
