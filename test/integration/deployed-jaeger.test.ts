/** The configurations that compose and Kubernetes give Jaeger, by Jaeger itself. JAEGER_BINARY is its program. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { untilTrace } from './jaeger-api.ts'
import { findFreePort, sendTrace, startProgram } from './otlp-programs.ts'
import { copySpoiled } from './spoiled.ts'

const KUBERNETES = path.resolve(import.meta.dirname, '../../deploy/kubernetes')
const ONE_NODE = path.join(KUBERNETES, 'jaeger/config.yaml')
const COLLECTOR = path.join(KUBERNETES, 'jaeger-distributed/collector-config.yaml')
const QUERY = path.join(KUBERNETES, 'jaeger-distributed/query-config.yaml')

const jaeger = process.env.JAEGER_BINARY ?? ''
assert.ok(jaeger, "set JAEGER_BINARY to Jaeger's program")

const OPENSEARCH = {
  OPENSEARCH_URL: 'https://opensearch.example:9200',
  OPENSEARCH_USERNAME: 'jaeger',
  OPENSEARCH_PASSWORD: 'secret'
}

/** What Jaeger says against a configuration; undefined when nothing. */
function findFault(config: string): string | undefined {
  const { status, stderr } = spawnSync(jaeger, ['validate', '--config', config], {
    env: { ...process.env, ...OPENSEARCH },
    encoding: 'utf8'
  })
  return status === 0 ? undefined : stderr
}

test('Jaeger takes each of its configurations, and none with a wrong field', (t) => {
  for (const config of [ONE_NODE, COLLECTOR, QUERY]) assert.equal(findFault(config), undefined)
  for (const [config, from, to] of [
    [ONE_NODE, 'spans: 720h', 'span: 720h'],
    [COLLECTOR, 'index_prefix', 'index_prefixx'],
    [QUERY, 'traces: opensearch', 'trace: opensearch']
  ] as const) {
    assert.match(findFault(copySpoiled(t, config, from, to)) ?? '', /invalid keys/, `${from} as ${to}`)
  }
})

test('traces survive a restart of Jaeger', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'jaeger-'))
  const [query, grpc, otlp, health] = await Promise.all(Array.from({ length: 4 }, findFreePort))
  const env = {
    JAEGER_HOST: '127.0.0.1',
    JAEGER_DATA: directory,
    JAEGER_QUERY_PORT: String(query),
    JAEGER_QUERY_GRPC_PORT: String(grpc),
    JAEGER_OTLP_PORT: String(otlp),
    JAEGER_HEALTH_PORT: String(health),
    OTEL_TRACES_SAMPLER: 'always_off'
  }
  const command = [jaeger, '--config', ONE_NODE]
  const healthUrl = `http://127.0.0.1:${health}/status`
  const queryUrl = `http://127.0.0.1:${query}`
  const isWhole = (trace: { spans: unknown[] }) => trace.spans.length === 2

  const first = await startProgram(t, command, env, healthUrl)
  const traceId = await sendTrace(`http://127.0.0.1:${otlp}`, { durationMs: 10 })
  await untilTrace(queryUrl, traceId, isWhole)
  await first.stop()

  await startProgram(t, command, env, healthUrl)
  await untilTrace(queryUrl, traceId, isWhole)
  t.after(() => rmSync(directory, { recursive: true }))
})
