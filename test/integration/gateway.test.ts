/**
 * The gateway of collectors as deploy/kubernetes/collector configures it, in front of a real Jaeger. OTELCOL is a
 * collector, JAEGER_BINARY a Jaeger.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { queryJaeger, untilTrace } from './jaeger-api.ts'
import { findFreePort, sendTrace, startProgram } from './otlp-programs.ts'
import { copySpoiled } from './spoiled.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const LOAD_BALANCER = path.join(ROOT, 'deploy/kubernetes/collector/load-balancer.yaml')
const TAIL_SAMPLING = path.join(ROOT, 'deploy/kubernetes/collector/tail-sampling.yaml')

const collector = process.env.OTELCOL ?? ''
const jaeger = process.env.JAEGER_BINARY ?? ''
assert.ok(collector, 'set OTELCOL to a collector')
assert.ok(jaeger, "set JAEGER_BINARY to Jaeger's program")

function findFault(config: string): string | undefined {
  const { status, stderr } = spawnSync(collector, ['validate', '--config', config], { encoding: 'utf8' })
  return status === 0 ? undefined : stderr
}

test('a collector takes both configurations, and none with a wrong field', (t) => {
  for (const config of [LOAD_BALANCER, TAIL_SAMPLING]) assert.equal(findFault(config), undefined)
  for (const [config, from, to] of [
    [LOAD_BALANCER, 'routing_key', 'routing_keys'],
    [LOAD_BALANCER, 'processors: [memory_limiter]', 'processors: [memory_limit]'],
    [TAIL_SAMPLING, 'threshold_ms', 'threshold'],
    [TAIL_SAMPLING, 'status_codes: [ERROR]', 'status_codes: [ERRORS, 1]']
  ] as const) {
    assert.ok(findFault(copySpoiled(t, config, from, to)), `${from} as ${to}`)
  }
})

test('errors and slow traces arrive whole, of the others about one in ten', async (t) => {
  const ports = await Promise.all(Array.from({ length: 6 }, findFreePort))
  const [query, jaegerHttp, jaegerGrpc, tailGrpc, tailHealth, gatewayHealth] = ports.map(String)
  const gatewayHttp = String(await findFreePort())
  const queryUrl = `http://127.0.0.1:${query}`
  const loopback = { COLLECTOR_HOST: '127.0.0.1', OTEL_TRACES_SAMPLER: 'always_off' }
  await startProgram(
    t,
    [jaeger, '--config', path.join(ROOT, '.ci/jaeger.yaml')],
    {
      OTEL_TRACES_SAMPLER: 'always_off',
      JAEGER_QUERY_PORT: query ?? '',
      JAEGER_OTLP_PORT: jaegerHttp ?? '',
      JAEGER_OTLP_GRPC_PORT: jaegerGrpc ?? ''
    },
    `${queryUrl}/api/services`
  )
  await startProgram(
    t,
    [collector, '--config', TAIL_SAMPLING, '--set=processors.tail_sampling.decision_wait=1s'],
    {
      ...loopback,
      COLLECTOR_HEALTH_PORT: tailHealth ?? '',
      COLLECTOR_OTLP_GRPC_PORT: tailGrpc ?? '',
      JAEGER_ENDPOINT: `127.0.0.1:${jaegerGrpc}`,
      // Nobody there: the one backend's death is not the other's.
      DATADOG_ENDPOINT: `127.0.0.1:${await findFreePort()}`
    },
    `http://127.0.0.1:${tailHealth}/`
  )
  await startProgram(
    t,
    [collector, '--config', LOAD_BALANCER],
    {
      ...loopback,
      COLLECTOR_HEALTH_PORT: gatewayHealth ?? '',
      COLLECTOR_OTLP_HTTP_PORT: gatewayHttp,
      TAIL_SAMPLING_HOST: 'localhost',
      TAIL_SAMPLING_PORT: tailGrpc ?? ''
    },
    `http://127.0.0.1:${gatewayHealth}/`
  )

  const otlpUrl = `http://127.0.0.1:${gatewayHttp}`
  const quick: string[] = []
  for (let sent = 0; sent < 200; sent += 1) quick.push(await sendTrace(otlpUrl, { durationMs: 20 }))
  const kept = [
    await sendTrace(otlpUrl, { durationMs: 20, isError: true }),
    await sendTrace(otlpUrl, { durationMs: 4000 })
  ]
  for (const traceId of kept) await untilTrace(queryUrl, traceId, ({ spans }) => spans.length === 2)
  // Sent last, so by now the others were decided as well.
  let keptByChance = 0
  for (const traceId of quick) {
    const [trace] = (await queryJaeger<{ spans: unknown[] }[]>(queryUrl, `/api/traces/${traceId}`)) ?? []
    if (!trace) continue
    assert.equal(trace.spans.length, 2)
    keptByChance += 1
  }
  // 20 expected: outside of this less than once in 100,000 runs.
  assert.ok(keptByChance > 3 && keptByChance < 42, `${keptByChance} of 200`)
})
