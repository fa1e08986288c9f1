/** Recent traces, and the waterfall of the one that is chosen. */
import { call } from './api.js'
import { copyCurls } from './copy-curl.js'
import { byId, empty, fill, h, scrollTo } from './dom.js'
import { clock, ms } from './format.js'
import { on, state } from './state.js'
import { traceLinks } from './trace-links.js'
import { describeVote, renderWaterfall } from './waterfall.js'

const SHOWN_TRACES = 12
/** Among so many the slowest is opened: older ones may be of the run before. */
const NEWEST_TRACES = 6

/** What the list can be narrowed to: the query of GET /traces, and what to do when nothing is left. */
const FILTERS = {
  newest: { text: 'Newest', query: '' },
  slowest: { text: 'Slowest', query: '', order: (a, b) => b.duration_ms - a.duration_ms },
  failed: { text: 'Failed', query: '&status=error', whenEmpty: 'No request that was traced has failed.' },
  disliked: {
    text: 'Not helpful',
    query: '&feedback=down',
    whenEmpty: 'Nobody rated an answer as not helpful. Rate one under “Ask a question”.'
  }
}

const view = {
  filter: 'newest',
  traces: [],
  /** The open trace; once a person has chosen it, it stays. */
  id: undefined,
  isChosen: false,
  trace: undefined,
  config: undefined,
  painted: ''
}

export function startTracesPanel() {
  fill(
    byId('traces-tools'),
    copyCurls(['GET', '/traces?min_duration_ms=1'], ['GET', '/traces?feedback=down'])
  )
  on('span', markSpan)
  on('record', () => {
    Object.assign(view, { id: undefined, isChosen: false })
  })
  paint()
}

/** @param {object | undefined} config what GET /apm/config answered: who else gets the traces */
export async function loadTraces(config = view.config) {
  view.config = config
  const { query, order } = FILTERS[view.filter]
  const { traces } = await call('GET', `/traces?min_duration_ms=1${query}`, { isQuiet: true })
  const requests = traces.filter(({ name }) => !isOperation(name))
  view.traces = (order ? requests.toSorted(order) : requests).slice(0, SHOWN_TRACES)
  const isGone = !view.isChosen && !view.traces.some(({ trace_id }) => trace_id === view.id)
  if (isGone && view.traces[0]) await open(slowestOf(view.traces.slice(0, NEWEST_TRACES)).trace_id)
  else if (JSON.stringify(view.traces) !== view.painted) paint()
}

/** Opens one from elsewhere on the page. */
export async function showTrace(traceId) {
  await choose(traceId)
  goToPanel()
}

/** Narrows the list from elsewhere on the page. @param {keyof typeof FILTERS} filter */
export async function showTraces(filter) {
  await narrow(filter)
  goToPanel()
}

function goToPanel() {
  scrollTo(byId('traces'))
  byId('traces').focus({ preventScroll: true })
}

/** What looks at the service or switches it, as this page does, is not what the service is for. */
function isOperation(name) {
  return /^(GET|PUT|DELETE) |^POST \/(memory|diagnosis|feedback)/.test(name)
}

function slowestOf(traces) {
  return traces.toSorted((a, b) => b.duration_ms - a.duration_ms)[0]
}

async function choose(traceId) {
  view.isChosen = true
  await open(traceId)
}

async function open(traceId) {
  view.id = traceId
  view.trace = await call('GET', `/traces/${traceId}`, { isQuiet: true }).catch(() => undefined)
  paint()
}

function paint() {
  view.painted = JSON.stringify(view.traces)
  const { whenEmpty } = FILTERS[view.filter]
  fill(
    byId('traces-body'),
    renderFilters(),
    view.traces.length > 0
      ? renderList()
      : empty(
          whenEmpty ??
            'No trace was kept yet. The queries of the button at the top are always traced; of others one in ten is.'
        ),
    view.trace && renderWaterfall(view.trace, view.config ? traceLinks(view.config, view.id) : [])
  )
}

function renderFilters() {
  return h(
    'fieldset',
    { class: 'choice' },
    h('legend', { class: 'visually-hidden' }, 'Which traces'),
    ...Object.entries(FILTERS).map(([name, { text }]) =>
      h(
        'label',
        null,
        h('input', {
          type: 'radio',
          name: 'traces',
          'data-key': `traces ${name}`,
          checked: view.filter === name,
          onchange: () => void narrow(name)
        }),
        text
      )
    )
  )
}

async function narrow(filter) {
  Object.assign(view, { filter, isChosen: false, painted: '' })
  await loadTraces().catch(() => {})
}

/** The rows stay as they are: only which one is chosen changes. */
function markSpan() {
  for (const row of byId('traces-body').querySelectorAll('[data-span]')) {
    row.setAttribute('aria-pressed', String(row.dataset.span === state.span))
  }
}

function renderList() {
  const longest = slowestOf(view.traces)
  return h(
    'ul',
    { class: 'trace-list', 'aria-label': `Traces, ${FILTERS[view.filter].text.toLowerCase()}` },
    ...view.traces.map((trace) => h('li', null, renderTrace(trace, trace === longest)))
  )
}

function renderTrace({ trace_id, name, start_time, duration_ms, status, feedback }, isLongest) {
  return h(
    'button',
    {
      type: 'button',
      'data-key': trace_id,
      'aria-pressed': String(trace_id === view.id),
      onclick: () => void choose(trace_id)
    },
    h('span', { class: 'quiet' }, clock(start_time)),
    h('span', { class: 'mono' }, name),
    feedback &&
      h('span', { class: `tag ${feedback.rating === 'down' ? 'bad' : 'good'}` }, describeVote(feedback)),
    status === 'error' && h('span', { class: 'tag bad' }, 'error'),
    isLongest && h('span', { class: 'tag hot' }, 'slowest'),
    h('strong', { class: 'number' }, ms(duration_ms))
  )
}
