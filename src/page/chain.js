/** The heaviest chain of calls with its source text, and what it costs. */
import { h } from './dom.js'
import { ms, number, percent, size, times } from './format.js'

/** Only the last links at first: the way into the span is the same for every finding of it. */
const SHOWN_LINKS = 4

export function renderChain({ chain }) {
  if (chain.length === 0) return null
  const hidden = chain.slice(0, -SHOWN_LINKS)
  const shown = chain.slice(-SHOWN_LINKS)
  return [
    hidden.length > 0 &&
      h(
        'details',
        { class: 'callers' },
        h('summary', null, `${hidden.length} more callers`),
        h('ol', { class: 'chain' }, ...hidden.map((link) => renderLink(link, false)))
      ),
    h(
      'ol',
      { class: 'chain', 'aria-label': 'Heaviest chain of calls, the hot line last' },
      ...shown.map((link, index) => renderLink(link, index === shown.length - 1))
    )
  ]
}

function renderLink({ function: name, file, line, source }, isHot) {
  return h(
    'li',
    { class: isHot && 'hot' },
    h('span', { class: 'line', title: name }, `${file}:${line}`),
    h('code', null, source ?? '(no source)'),
    isHot && h('span', { class: 'visually-hidden' }, ' — the hot line')
  )
}

/** The one number of a finding, large, with its unit and its share of the span; nothing where it has none. */
export function renderCost(finding) {
  const cost = costOf(finding)
  if (!cost) return null
  const [value, unit] = cost
  return h(
    'p',
    { class: 'cost' },
    h('strong', null, value),
    ` ${unit}`,
    finding.share_of_span > 0 &&
      h('span', { class: 'quiet' }, ` · ${percent(finding.share_of_span)} of the span${shareUnit(finding)}`)
  )
}

function costOf(finding) {
  const { tokens_per_request: tokens, growth_bytes_per_request: bytes, cost_ms_per_request: costMs } = finding
  if (tokens !== undefined) {
    return [number(tokens), `tokens too many per request${costMs === undefined ? '' : `, ${ms(costMs)}`}`]
  }
  if (bytes !== undefined) return [size(bytes), 'kept per request']
  return costMs === undefined ? undefined : [ms(costMs), callsOf(finding)]
}

function callsOf({ calls_per_request }) {
  return calls_per_request === undefined ? 'per request' : `per request, called ${times(calls_per_request)}`
}

function shareUnit({ kind }) {
  return kind === 'cpu' ? '’s CPU' : ''
}
