/** Before and after: the same queries with other switches. */
import { h } from './dom.js'
import { change, ms, number, signedMs } from './format.js'
import { state } from './state.js'

/** Less than this is noise between two runs. */
const MIN_CHANGE_MS = 2
const SHOWN_ROWS = 6

export function renderDifference() {
  const { comparison } = state
  if (!comparison) {
    return state.record && !state.hasSwitched
      ? h('p', { class: 'empty' }, 'Switch a fault off and run again: the difference appears here.')
      : null
  }
  return h(
    'section',
    { class: 'difference', 'aria-label': 'Difference to the run before' },
    h('h3', null, 'Since the run before'),
    renderSpans(comparison.spans),
    renderFindings(comparison.findings)
  )
}

function renderSpans(spans) {
  const shown = spans
    .filter(({ change_ms }) => Math.abs(change_ms) >= MIN_CHANGE_MS)
    .sort((a, b) => b.before_ms - a.before_ms)
    .slice(0, SHOWN_ROWS)
  if (shown.length === 0) return h('p', { class: 'empty' }, 'No span has become faster or slower.')
  const longest = Math.max(...shown.flatMap(({ before_ms, after_ms }) => [before_ms, after_ms]))
  return h(
    'table',
    { class: 'changes' },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        h('th', { scope: 'col' }, 'Span'),
        h('th', { scope: 'col', class: 'bar-cell' }, h('span', { class: 'visually-hidden' }, 'Bars')),
        ...['Before', 'After', 'Change'].map((text) => h('th', { scope: 'col', class: 'number' }, text))
      )
    ),
    h('tbody', null, ...shown.map((row) => renderSpan(row, longest)))
  )
}

function renderSpan({ span, before_ms, after_ms }, longest) {
  const better = after_ms < before_ms
  return h(
    'tr',
    null,
    h('th', { scope: 'row', class: 'mono' }, span),
    h(
      'td',
      { class: 'bar-cell', 'aria-hidden': 'true' },
      h('span', { class: 'pair before', vars: { '--length': before_ms / longest } }),
      h('span', { class: `pair ${better ? 'better' : 'worse'}`, vars: { '--length': after_ms / longest } })
    ),
    h('td', { class: 'number' }, ms(before_ms)),
    h('td', { class: 'number' }, ms(after_ms)),
    h('td', { class: `number ${better ? 'better' : 'worse'}` }, change(before_ms, after_ms))
  )
}

function renderFindings(findings) {
  const largest = Math.max(...findings.map(({ change_ms }) => Math.abs(change_ms)))
  const shown = findings.filter(
    ({ file, change_ms }) => file !== null && Math.abs(change_ms) >= Math.max(MIN_CHANGE_MS, largest / 50)
  )
  if (shown.length === 0) return null
  return h(
    'ul',
    { class: 'changed-code' },
    ...shown
      .slice(0, SHOWN_ROWS)
      .map((finding) =>
        h(
          'li',
          null,
          h(
            'span',
            { class: `number ${finding.change_ms < 0 ? 'better' : 'worse'}` },
            signedMs(finding.change_ms)
          ),
          h('span', { class: 'mono' }, finding.function ?? finding.span),
          h('span', { class: 'quiet' }, `${finding.file ?? ''} ${describe(finding)}`)
        )
      )
  )
}

function describe({ before_ms, after_ms }) {
  if (after_ms === 0) return `${number(before_ms)} ms before, now below what is reported`
  if (before_ms === 0) return `${number(after_ms)} ms, was below what is reported`
  return `${number(before_ms)} ms → ${number(after_ms)} ms`
}
