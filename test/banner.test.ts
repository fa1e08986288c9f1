import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBanner } from '../src/banner.ts'
import { parseConfig } from '../src/config.ts'

function bannerOf(env: Record<string, string>): string {
  const { config } = parseConfig(env)
  return formatBanner({
    config,
    url: 'http://localhost:8000',
    databaseEngine: 'embedded',
    startupS: 1,
    enabledFaults: []
  })
}

test('the banner says where spans go, without what only the exporter may know', () => {
  const jaeger = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://ann:pass@localhost:4318',
    JAEGER_UI_URL: 'http://jaeger.test'
  }
  const datadog = { DD_AGENT_HOST: 'agent' }
  const cases = [
    [{}, /spans go nowhere: set OTEL_EXPORTER_OTLP_ENDPOINT for Jaeger, DD_TRACE_AGENT_URL for Datadog/],
    [jaeger, /spans go to http:\/\/localhost:4318 \(Jaeger's page: http:\/\/jaeger\.test\)\n/],
    [datadog, /spans go to Datadog's agent at http:\/\/agent:8126\n/],
    [{ ...jaeger, ...datadog }, /4318 \(.*\) and to Datadog's agent at http:\/\/agent:8126\n/],
    [{ ...jaeger, TRACING_ENABLED: 'false' }, /no spans: TRACING_ENABLED=false/]
  ] as const
  for (const [env, expected] of cases) assert.match(bannerOf(env), expected)
})
