/** How many traces are kept, what becomes of them, and what that costs. */
import { call } from './api.js'
import { copyCurl } from './copy-curl.js'
import { byId, empty, fill, h } from './dom.js'
import { renderFacts } from './facts.js'
import { percent } from './format.js'

export function startTelemetryPanel() {
  fill(byId('telemetry-tools'), copyCurl('GET', '/apm/metrics'))
  fill(byId('telemetry-body'), empty('Shown when the service answers.'))
}

/** @param {object} config what GET /apm/config answered */
export async function loadTelemetry(config) {
  const metrics = await call('GET', '/apm/metrics', { isQuiet: true })
  fill(
    byId('telemetry-body'),
    config.tracing_enabled
      ? null
      : h('p', { class: 'error' }, 'Tracing is off: start with TRACING_ENABLED=true.'),
    renderFacts(collectFacts(metrics)),
    metrics.backends.length > 0
      ? renderBackends(metrics.backends)
      : empty(
          'Traces stay in this process. To send them: OTEL_EXPORTER_OTLP_ENDPOINT for Jaeger, DD_TRACE_AGENT_URL for Datadog.'
        )
  )
}

function collectFacts({ sampling, profiler_overhead_pct, estimated_monthly_cost_usd }) {
  return {
    'New traces kept': percent(sampling.effective_rate),
    'Requests in the last hour': String(sampling.requests_last_hour),
    ...(profiler_overhead_pct === undefined
      ? {}
      : { 'Profiler, of one core': percent(profiler_overhead_pct / 100) }),
    ...(estimated_monthly_cost_usd === undefined
      ? {}
      : { 'Estimated cost a month': `$${estimated_monthly_cost_usd}` })
  }
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
