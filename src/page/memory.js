/** What the process holds, whether it grows, and the check that names what leaks. */
import { call } from './api.js'
import { copyCurl } from './copy-curl.js'
import { byId, empty, fill, h } from './dom.js'
import { renderFacts } from './facts.js'
import { mb, number } from './format.js'
import { renderLeakCheck } from './leak-check.js'
import { renderPlot } from './plot.js'
import { on } from './state.js'

const LEAK_CHECK_ITERATIONS = 10
/** Half an hour of polls. */
const MAX_POINTS = 120
const view = { stats: undefined, points: [], check: undefined, isChecking: false, note: '' }

export function startMemoryPanel() {
  fill(byId('memory-tools'), copyCurl('POST', '/memory/leak-check', { iterations: LEAK_CHECK_ITERATIONS }))
  on('faults', paint)
  paint()
}

function describePoints(points) {
  return `Heap in use since this page was opened: ${mb(points[0])}, now ${mb(points.at(-1))}`
}

export async function loadMemory() {
  const { memory_stats } = await call('GET', '/memory/stats', { isQuiet: true })
  view.stats = memory_stats
  view.points = [...view.points, memory_stats.current_mb].slice(-MAX_POINTS)
  paint()
}

async function checkForLeaks() {
  Object.assign(view, { isChecking: true, note: '' })
  paint()
  try {
    const body = { iterations: LEAK_CHECK_ITERATIONS }
    view.check = (await call('POST', '/memory/leak-check', { body })).leak_check
  } catch ({ code, message }) {
    view.note = code === 'NOT_FOUND' ? 'This version of the service has no leak check.' : message
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
  const { stats, check, note } = view
  if (!stats) {
    fill(byId('memory-body'), empty('Shown when the service answers.'))
    return
  }
  fill(
    byId('memory-body'),
    h('p', { class: 'conclusion small' }, judge(stats)),
    renderPlot(view.points, describePoints(view.points)),
    renderStats(stats),
    check && renderLeakCheck(check),
    h(
      'div',
      { class: 'actions' },
      h(
        'button',
        {
          type: 'button',
          'data-key': 'check',
          'aria-disabled': String(view.isChecking),
          onclick: startCheck
        },
        view.isChecking ? 'Checking …' : 'Check for leaks'
      ),
      h(
        'button',
        { type: 'button', 'data-key': 'empty', onclick: () => void emptyCache() },
        'Empty the document cache'
      ),
      h('span', { role: 'status', class: 'quiet' }, note)
    )
  )
}

function startCheck() {
  if (!view.isChecking) void checkForLeaks()
}

function judge({ alerts, growth_mb_per_hour: growth }) {
  if (alerts.length > 0) return `Growing: ${alerts.join('; ')}`
  if (!growth.reliable) return 'Too early to tell whether the heap grows; the leak check tells at once.'
  return `No alert: the heap changes by ${number(growth.low)} to ${number(growth.high)} MB an hour.`
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
