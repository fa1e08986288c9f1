/** What the process holds, whether it grows, and the check that names what leaks. */
import { call } from './api.js'
import { copyCurls } from './copy-curl.js'
import { byId, empty, fill, h, progress } from './dom.js'
import { renderFacts } from './facts.js'
import { mb, number } from './format.js'
import { renderLeakCheck } from './leak-check.js'
import { renderPlot } from './plot.js'
import { emit, on, state } from './state.js'

const LEAK_CHECK_ITERATIONS = 10
/** Half an hour of polls. */
const MAX_POINTS = 120
const view = { stats: undefined, points: [], isChecking: false, note: '' }

export function startMemoryPanel() {
  const iterations = LEAK_CHECK_ITERATIONS
  fill(
    byId('memory-tools'),
    copyCurls(
      ['GET', '/memory/stats'],
      ['POST', '/memory/leak-check', { iterations }],
      ['DELETE', '/memory/document-cache'],
      ['GET', '/debug/pprof/heap']
    )
  )
  on('faults', paint)
  paint()
}

export async function loadMemory() {
  const { memory_stats } = await call('GET', '/memory/stats', { isQuiet: true })
  view.stats = memory_stats
  const point = { atS: Date.now() / 1000, mb: memory_stats.current_mb }
  view.points = [...view.points, point].slice(-MAX_POINTS)
  paint()
}

async function checkForLeaks() {
  if (view.isChecking) return
  Object.assign(view, { isChecking: true, note: '' })
  paint()
  try {
    const body = { iterations: LEAK_CHECK_ITERATIONS }
    state.leakCheck = (await call('POST', '/memory/leak-check', { body })).leak_check
    emit('leak-check')
  } catch ({ message }) {
    view.note = message
  }
  view.isChecking = false
  paint()
}

async function emptyCache() {
  try {
    const { freed_mb, entries } = await call('DELETE', '/memory/document-cache')
    view.note = `Emptied: ${entries === 1 ? '1 entry' : `${entries} entries`}, ${mb(freed_mb)} freed.`
    await loadMemory()
  } catch ({ message }) {
    view.note = message
    paint()
  }
}

function paint() {
  const { stats } = view
  if (!stats) {
    fill(byId('memory-body'), empty('Shown when the service answers.'))
    return
  }
  fill(
    byId('memory-body'),
    h('p', { class: 'conclusion small' }, judge(stats)),
    renderHeap(view.points),
    renderStats(stats),
    state.leakCheck && renderLeakCheck(state.leakCheck),
    renderActions()
  )
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

function renderHeap(points) {
  if (points.length < 2) return null
  return renderPlot({
    x: points.map(({ atS }) => atS),
    isTime: true,
    series: [{ kind: 'heap', text: 'heap in use', values: points.map(({ mb }) => mb) }],
    caption: `Heap in use since this page was opened: ${mb(points[0].mb)}, now ${mb(points.at(-1).mb)}`
  })
}

function renderStats(stats) {
  const cache = stats.document_cache
  const facts = {
    'Heap in use': mb(stats.current_mb),
    'Most seen': mb(stats.peak_mb),
    'Above the least seen': mb(stats.growth_mb),
    'Outside the heap': mb(stats.external_mb),
    'Whole process': mb(stats.rss_mb),
    'Document cache': `${cache.entries} entries, ${mb(cache.approx_mb)}`
  }
  return renderFacts(facts)
}
