/** The spans of one trace over time, the slowest marked. */
import { h } from './dom.js'
import { count, ms } from './format.js'
import { showSpan, state } from './state.js'
import { toWaterfall } from './trace-data.js'

/**
 * @param {object} trace what GET /traces/:trace_id answered
 * @param {{ name: string, href: string }[]} links
 */
export function renderWaterfall({ trace_id, spans, dropped_spans, feedback }, links) {
  const { durationMs, rows } = toWaterfall(spans)
  return h(
    'figure',
    { class: 'waterfall' },
    h(
      'figcaption',
      null,
      h('span', null, 'Trace ', h('code', null, trace_id)),
      h(
        'span',
        { class: 'quiet' },
        `${count(spans.length, 'span')}, ${ms(durationMs)}`,
        dropped_spans > 0 && `, ${dropped_spans} not kept`,
        feedback && `, rated ${describeVote(feedback)}`
      ),
      ...links.map(({ name, href }) => h('a', { href, target: '_blank', rel: 'noopener' }, `Open in ${name}`))
    ),
    h('ol', null, ...rows.map((row) => renderRow(row, durationMs)))
  )
}

/** @param {{ rating: string, category: string | null }} vote */
export function describeVote({ rating, category }) {
  const text = rating === 'up' ? 'helpful' : 'not helpful'
  return category === null ? text : `${text}: ${category}`
}

function renderRow(row, durationMs) {
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
        row.label,
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
