/** The verdict: what is wrong, where, and why that is believed; or that nothing is. */
import { renderChain, renderCost } from './chain.js'
import { copyCurls } from './copy-curl.js'
import { byId, empty, fill, h, scrollTo } from './dom.js'
import { faultOf, renderSwitch } from './faults.js'
import { change, count, ms, percent } from './format.js'
import { renderSpanTimes } from './span-times.js'
import { emit, on, showSpan, state } from './state.js'

export function startVerdictPanel() {
  fill(byId('verdict-tools'), copyCurls(['POST', '/diagnosis', { seconds: 10 }], ['GET', '/diagnosis']))
  on('record', paint)
  on('faults', paint)
  paint()
}

function paint() {
  const { record } = state
  if (!record) {
    fill(
      byId('verdict-body'),
      empty(
        'Nothing has been diagnosed yet. Press “Send sample queries and diagnose” above: it takes about ten seconds.'
      )
    )
    return
  }
  const faults = record.findings.filter(({ severity }) => severity === 'fault')
  const infos = record.findings.filter(({ severity }) => severity === 'info')
  fill(
    byId('verdict-body'),
    renderHeadline(record, faults),
    renderSpanTimes(record),
    ...faults.map((finding, index) => renderCard(finding, index + 1)),
    infos.length > 0 && renderInfos(infos)
  )
}

function renderHeadline({ healthy, window }, faults) {
  const costMs = faults.reduce((sum, { cost_ms_per_request }) => sum + (cost_ms_per_request ?? 0), 0)
  const found = count(faults.length, 'fault')
  const verb = faults.length === 1 ? 'costs' : 'cost'
  const text = healthy
    ? 'Healthy: no line of this service’s own code is a fault.'
    : costMs > 0
      ? `${found} ${verb} ${ms(costMs)} of every request.`
      : `${found} found; none costs a request time.`
  return h(
    'div',
    { class: healthy ? 'headline healthy' : 'headline unhealthy' },
    h(
      'p',
      { class: 'conclusion' },
      h('span', { class: 'mark', 'aria-hidden': 'true' }, healthy ? '✓' : '!'),
      text
    ),
    renderSaving(),
    h(
      'p',
      { class: 'quiet' },
      `Rests on ${count(window.requests, 'request')} and ${count(window.labelled_samples, 'CPU sample')} in ` +
        `${window.seconds.toFixed(1)} s.`
    )
  )
}

/** One line here; the whole comparison stands with the switches that caused it. */
function renderSaving() {
  const slowest = state.comparison?.spans.toSorted((a, b) => b.before_ms - a.before_ms)[0]
  if (!slowest) return null
  return h(
    'p',
    { class: 'saving' },
    `A request takes ${ms(slowest.after_ms)} instead of ${ms(slowest.before_ms)} in the run before: `,
    h(
      'strong',
      { class: slowest.change_ms > 0 ? 'worse' : 'better' },
      change(slowest.before_ms, slowest.after_ms)
    ),
    '. ',
    h('a', { href: '#faults' }, 'See what changed')
  )
}

function renderCard(finding, rank) {
  const place = finding.file && `${finding.file}:${finding.line}`
  return h(
    'article',
    { class: 'card', 'aria-label': `Fault ${rank}: ${finding.span}` },
    h(
      'header',
      null,
      h('span', { class: 'rank', 'aria-hidden': 'true' }, rank),
      h(
        'h3',
        null,
        h('span', { class: 'mono' }, finding.span),
        h('span', { class: 'tag' }, KINDS[finding.kind] ?? finding.kind)
      ),
      renderCost(finding)
    ),
    place &&
      h(
        'p',
        { class: 'place' },
        h('strong', { class: 'mono' }, place),
        finding.function && [' in ', h('span', { class: 'mono' }, finding.function)],
        !finding.line_exact && h('span', { class: 'quiet' }, ' (the line is not certain)')
      ),
    renderChain(finding),
    finding.statement &&
      h(
        'pre',
        { class: 'statement', tabindex: '0', 'aria-label': 'SQL statement' },
        finding.statement.trim()
      ),
    h(
      'ul',
      { class: 'evidence', 'aria-label': 'Evidence' },
      ...finding.evidence.map((text) => h('li', null, text))
    ),
    h('p', { class: 'suggestion' }, finding.suggestion),
    renderActions(finding)
  )
}

const KINDS = { cpu: 'CPU', waiting: 'waiting', memory: 'memory', sql: 'SQL', tokens: 'tokens' }

function renderActions(finding) {
  const fault = faultOf(finding)
  return h(
    'footer',
    { class: 'actions' },
    fault && renderSwitch(fault, 'card'),
    finding.kind === 'cpu' &&
      h('button', { type: 'button', onclick: () => showInFlameGraph(finding) }, 'Show in the flame graph')
  )
}

function showInFlameGraph(finding) {
  showSpan(finding.span)
  emit('search', finding.function)
  scrollTo(byId('flame'))
}

function renderInfos(infos) {
  return h(
    'details',
    { class: 'infos' },
    h(
      'summary',
      null,
      `${count(infos.length, 'observation')} that ${infos.length === 1 ? 'is' : 'are'} no fault`
    ),
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Observations' },
      h(
        'table',
        null,
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            ...['Span', 'What', 'Where'].map((text) => h('th', { scope: 'col' }, text)),
            h('th', { scope: 'col', class: 'number' }, 'Per request'),
            h('th', { scope: 'col', class: 'number' }, 'Of the span')
          )
        ),
        h('tbody', null, ...infos.map(renderInfo))
      )
    )
  )
}

function renderInfo(finding) {
  const where = finding.file
    ? `${finding.function} ${finding.file}:${finding.line}`
    : (finding.evidence.at(-1) ?? '')
  return h(
    'tr',
    null,
    h('th', { scope: 'row', class: 'mono' }, finding.span),
    h('td', null, KINDS[finding.kind] ?? finding.kind),
    h('td', { class: finding.file && 'mono' }, where),
    h(
      'td',
      { class: 'number' },
      finding.cost_ms_per_request === undefined ? '' : ms(finding.cost_ms_per_request)
    ),
    h('td', { class: 'number' }, percent(finding.share_of_span))
  )
}
