/** Recent traces, and the waterfall of the one that is chosen. */
import { call } from './api.js'
import { copyCurl } from './copy-curl.js'
import { byId, empty, fill, h } from './dom.js'
import { clock, count, ms } from './format.js'
import { on, showSpan, state } from './state.js'
import { toWaterfall } from './trace-data.js'

const SHOWN_TRACES = 12
/** Among so many the slowest is opened: older ones may be of the run before. */
const NEWEST_TRACES = 6
const shown = { traces: [], id: undefined, trace: undefined, jaegerUrl: undefined, painted: '' }

export function startTracesPanel() {
  fill(byId('traces-tools'), copyCurl('GET', '/traces'))
  on('span', markSpan)
  on('record', () => {
    shown.id = undefined
  })
  paint()
}

/** @param {string | undefined} url of a Jaeger that gets the traces */
export function setJaegerUrl(url) {
  shown.jaegerUrl = url
}

export async function loadTraces() {
  const { traces } = await call('GET', '/traces?min_duration_ms=1', { isQuiet: true })
  shown.traces = traces.filter(({ name }) => !name.startsWith('GET ')).slice(0, SHOWN_TRACES)
  const isGone = !shown.traces.some(({ trace_id }) => trace_id === shown.id)
  if (isGone && shown.traces[0]) await choose(slowestOf(shown.traces.slice(0, NEWEST_TRACES)).trace_id)
  else if (JSON.stringify(shown.traces) !== shown.painted) paint()
}

function slowestOf(traces) {
  return traces.toSorted((a, b) => b.duration_ms - a.duration_ms)[0]
}

async function choose(traceId) {
  shown.id = traceId
  shown.trace = await call('GET', `/traces/${traceId}`, { isQuiet: true }).catch(() => undefined)
  paint()
}

function paint() {
  shown.painted = JSON.stringify(shown.traces)
  if (shown.traces.length === 0) {
    fill(
      byId('traces-body'),
      empty('No trace was kept yet. The queries of the button above are always traced; others are sampled.')
    )
    return
  }
  fill(byId('traces-body'), renderList(), shown.trace && renderWaterfall(shown.trace))
}

/** The rows stay as they are: only which one is chosen changes. */
function markSpan() {
  for (const row of byId('traces-body').querySelectorAll('[data-span]')) {
    row.setAttribute('aria-pressed', String(row.dataset.span === state.span))
  }
}

function renderList() {
  const longest = slowestOf(shown.traces)
  return h(
    'ul',
    { class: 'trace-list', 'aria-label': 'Recent traces, newest first' },
    ...shown.traces.map((trace) =>
      h(
        'li',
        null,
        h(
          'button',
          {
            type: 'button',
            'data-key': trace.trace_id,
            'aria-pressed': String(trace.trace_id === shown.id),
            onclick: () => void choose(trace.trace_id)
          },
          h('span', { class: 'quiet' }, clock(trace.start_time)),
          h('span', { class: 'mono' }, trace.name),
          h('strong', { class: 'number' }, ms(trace.duration_ms)),
          trace === longest && h('span', { class: 'tag hot' }, 'slowest'),
          trace.status === 'error' && h('span', { class: 'tag bad' }, 'error')
        )
      )
    )
  )
}

function renderWaterfall({ trace_id, spans, dropped_spans }) {
  const { durationMs, rows } = toWaterfall(spans)
  return h(
    'figure',
    { class: 'waterfall' },
    h(
      'figcaption',
      null,
      'Trace ',
      h('code', null, trace_id),
      `, ${count(spans.length, 'span')}, ${ms(durationMs)}`,
      dropped_spans > 0 && `, ${dropped_spans} not kept`,
      shown.jaegerUrl && [' · ', h('a', { href: `${shown.jaegerUrl}/trace/${trace_id}` }, 'open in Jaeger')]
    ),
    h('ol', null, ...rows.map((row) => renderRow(row, durationMs)))
  )
}

function renderRow(row, durationMs) {
  const label = row.spans.length > 1 ? `${row.name} × ${row.spans.length}` : row.name
  return h(
    'li',
    { class: row.isSlowest && 'slowest' },
    h(
      'button',
      {
        type: 'button',
        'data-key': `row ${row.spans[0].span_id}`,
        'data-span': row.name,
        'aria-pressed': String(state.span === row.name),
        title: 'Show this span alone in the flame graph, or all again',
        onclick: () => showSpan(state.span === row.name ? '' : row.name)
      },
      h(
        'span',
        { class: 'row-name mono', vars: { '--depth': row.depth } },
        label,
        row.isSlowest && h('span', { class: 'tag hot' }, 'slowest'),
        row.isError && h('span', { class: 'tag bad' }, 'error')
      ),
      h(
        'span',
        { class: `row-track ${row.kind}`, 'aria-hidden': 'true' },
        ...row.parts.map(({ offsetMs, lengthMs }) =>
          h('span', {
            class: 'part',
            vars: { '--offset': offsetMs / durationMs, '--length': lengthMs / durationMs }
          })
        )
      ),
      h('span', { class: 'number' }, ms(row.totalMs))
    )
  )
}
