/** Where a request's time goes, span by span, with the slowest marked. */
import { h } from './dom.js'
import { ms, number } from './format.js'
import { renderLegend } from './legend.js'
import { showSpan } from './state.js'

const SHOWN_SPANS = 6

/** @param {object} record a diagnosis */
export function renderSpanTimes({ spans, findings }) {
  const slowest = findSlowestStage(spans, findings)
  const longest = Math.max(...spans.map((span) => span.duration_ms))
  const shown = spans.filter((span) => isWorthARow(span, longest)).slice(0, SHOWN_SPANS)
  return h(
    'figure',
    { class: 'span-times' },
    h('figcaption', null, 'Where a request’s time goes'),
    h(
      'table',
      null,
      h(
        'thead',
        { class: 'visually-hidden' },
        h('tr', null, ...['Span', 'Share', 'Duration'].map((text) => h('th', { scope: 'col' }, text)))
      ),
      h('tbody', null, ...shown.map((span) => renderRow(span, longest, span === slowest)))
    ),
    renderLegend({
      own: 'computing in the span itself',
      wait: 'waiting: for child spans, for the loop, for others'
    })
  )
}

/** The same rule as in `bottleneck_analysis.md`: no mere wrapper, and most of its time explained by itself. */
function findSlowestStage(spans, findings) {
  const named = new Set(findings.map(({ span }) => span))
  return spans.find((span) => named.has(span.span) && ownMs(span, findings) > span.duration_ms / 2)
}

function ownMs(span, findings) {
  const waits = findings.filter((finding) => finding.span === span.span && finding.kind === 'waiting')
  const waitedMs = waits.reduce((sum, finding) => sum + (finding.cost_ms_per_request ?? 0), 0)
  return span.own_cpu_ms + span.idle_ms + span.busy_with_others_ms + waitedMs
}

function isWorthARow(span, longest) {
  return span.duration_ms > longest / 200
}

function renderRow(span, longest, isSlowest) {
  const own = Math.min(span.own_cpu_ms, span.duration_ms)
  const bar = h(
    'span',
    {
      class: 'bar',
      role: 'img',
      'aria-label': `${ms(own)} computing, ${ms(span.duration_ms - own)} waiting`,
      vars: { '--length': span.duration_ms / longest, '--own': own / span.duration_ms }
    },
    h('span', { class: 'bar-own' })
  )
  const name = h(
    'button',
    {
      type: 'button',
      class: 'link mono',
      title: 'Show in the flame graph',
      onclick: () => showSpan(span.span)
    },
    span.span
  )
  return h(
    'tr',
    { class: isSlowest && 'slowest' },
    h('th', { scope: 'row' }, name, isSlowest && h('span', { class: 'tag hot' }, 'slowest')),
    h('td', { class: 'bar-cell' }, bar),
    h('td', { class: 'number' }, `${number(span.duration_ms)} ms`)
  )
}
