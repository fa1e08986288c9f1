/** How many traces are kept, what becomes of them, what observing costs the service, and what its answers cost. */
import { call } from './api.js'
import { copyCurls } from './copy-curl.js'
import { renderCosts } from './costs.js'
import { byId, empty, fill, h } from './dom.js'
import { renderFacts } from './facts.js'
import { percent, usd } from './format.js'

export function startTelemetryPanel() {
  fill(
    byId('telemetry-tools'),
    copyCurls(['GET', '/apm/metrics'], ['GET', '/apm/config'], ['GET', '/costs'], ['GET', '/metrics'])
  )
  fill(byId('telemetry-body'), empty('Shown when the service answers.'))
}

/** @param {object} config what GET /apm/config answered */
export async function loadTelemetry(config) {
  const [metrics, costs] = await Promise.all([
    call('GET', '/apm/metrics', { isQuiet: true }),
    call('GET', '/costs', { isQuiet: true })
  ])
  fill(
    byId('telemetry-body'),
    config.tracing_enabled
      ? null
      : h('p', { class: 'error' }, 'Tracing is off: start with TRACING_ENABLED=true.'),
    renderFacts(collectFacts(metrics, config)),
    renderWarnings(metrics),
    metrics.backends.length > 0
      ? renderBackends(metrics.backends)
      : empty(
          'Traces stay in this process. To send them: OTEL_EXPORTER_OTLP_ENDPOINT for Jaeger, DD_TRACE_AGENT_URL for Datadog.'
        ),
    renderCosts(costs)
  )
}

function collectFacts(
  { sampling, profiler, profiler_overhead_pct, overhead_guard, estimated_monthly_cost_usd },
  { datadog }
) {
  return {
    'New requests traced': percent(sampling.effective_rate),
    'Requests in the last hour': String(sampling.requests_last_hour),
    'Profiler, share of a core':
      profiler_overhead_pct === undefined ? describeProfiler(profiler) : percent(profiler_overhead_pct / 100),
    'All telemetry, of one core': describeGuard(overhead_guard),
    ...(datadog.agent_url === null ? {} : { 'Datadog, a month': usd(estimated_monthly_cost_usd) })
  }
}

const SHED = {
  windows: 'no diagnoses for now',
  span_rate: 'a tenth of the sampling rate',
  profiler: 'the profiler off until a restart'
}

function describeGuard({ telemetry_pct_of_core: pct, limit_pct, shed }) {
  const cost = pct === null ? 'not measured' : `${percent(pct / 100)} of at most ${percent(limit_pct / 100)}`
  return [cost, ...shed.map((step) => SHED[step])].join('; ')
}

function describeProfiler({ running }) {
  return running ? 'runs; not measured here' : 'off'
}

function renderWarnings({ monthly_cost }) {
  return monthly_cost.warnings.map((text) => h('p', { class: 'error' }, text))
}

const COLUMNS = ['started', 'exported', 'failed', 'dropped', 'pending']

function renderBackends(backends) {
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Backends' },
    h(
      'table',
      null,
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('th', { scope: 'col' }, 'Spans sent to'),
          ...COLUMNS.map((name) => h('th', { scope: 'col', class: 'number' }, name)),
          h('th', { scope: 'col' }, 'Last error')
        )
      ),
      h('tbody', null, ...backends.map(renderBackend))
    )
  )
}

function renderBackend(backend) {
  return h(
    'tr',
    null,
    h('th', { scope: 'row' }, backend.name),
    ...COLUMNS.map((name) => h('td', { class: 'number' }, backend[name])),
    h('td', { class: backend.last_error && 'error' }, backend.last_error?.message ?? 'none')
  )
}
