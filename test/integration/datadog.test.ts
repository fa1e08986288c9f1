/** The whole service with Datadog's own test agent, and with agents that are dead. DD_TEST_AGENT_URL is its address. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Profile } from 'pprof-format'
import { readSamples } from '../fixtures/datadog/profile-upload.ts'
import { type DatadogSpan, traceIdOf } from '../fixtures/datadog/recording-agent.ts'
import { type AnswerBody, sendJson } from '../service.ts'
import { clearAgent, readFailedChecks, readProfiles, readTraces } from './datadog-test-agent.ts'

const agentUrl = process.env.DD_TEST_AGENT_URL ?? ''
assert.ok(agentUrl, "set DD_TEST_AGENT_URL to the address of Datadog's test agent")

const ROOT = path.resolve(import.meta.dirname, '../..')
const START = ['--import', './src/check-node.mjs', '--import', './src/telemetry/start.ts', 'src/server.ts']
const QUERIES = 60
const SLOW_QUERIES = 4
const HOURS_PER_MONTH = 730
/** Where the planted CPU faults burn. */
const SPAN_BY_FUNCTION = { rerank: 'rag.rerank', serializePromptByTrial: 'openai.generate' }
/** Exit within 5 s of SIGTERM, whatever the agent does. */
const MAX_SHUTDOWN_MS = 5_000

interface Service {
  url: string
  /** @returns the exit code and how long it took */
  end(): Promise<{ exitCode: number | null; shutdownMs: number }>
}

async function startService(env: Record<string, string>): Promise<Service> {
  const child = spawn(process.execPath, START, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'warn', SIMULATED_LATENCY_SCALE: '0', ...env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc']
  })
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  return {
    url,
    async end() {
      const startedAt = performance.now()
      child.kill('SIGTERM')
      const [exitCode] = (await once(child, 'exit')) as [number | null]
      return { exitCode, shutdownMs: performance.now() - startedAt }
    }
  }
}

async function ask(url: string, index: number, headers: Record<string, string> = {}): Promise<AnswerBody> {
  const query = `How long are audit logs of department ${index} kept?`
  const { status, body } = await sendJson(`${url}/query`, 'POST', { query }, headers)
  assert.equal(status, 200)
  return body
}

function askSlow(url: string, index: number): Promise<AnswerBody> {
  return ask(url, index, { 'x-force-sample': '1' })
}

async function readJson<Body>(url: string, route: string): Promise<Body> {
  return (await (await fetch(new URL(route, url))).json()) as Body
}

/** `resource > resource > …` of each span, from the root down. */
function pathsOf(spans: DatadogSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.span_id, span]))
  function pathOf(span: DatadogSpan): string {
    const parent = byId.get(BigInt(span.parent_id))
    return parent ? `${pathOf(parent)} > ${span.resource}` : span.resource
  }
  return spans.map(pathOf)
}

test('the test agent holds exactly the sampled traces, whole, and profiles of their spans', async (t) => {
  await clearAgent(agentUrl)
  const name = `datadog-test-${process.pid}`
  const service = await startService({
    DD_TRACE_AGENT_URL: agentUrl,
    DD_SERVICE: name,
    DD_ENV: 'testing',
    DD_VERSION: '1.2.3',
    SAMPLING_RATE: '0.5',
    // The rate is to stay as it is, whatever all this costs.
    DD_PROFILING_MAX_TIME_USAGE_PCT: '100',
    FAULTS: 'quadratic-chunk-filter,slow-prompt-serialization'
  })
  const health = await readJson<{ apm_configured: boolean; apm_enabled: boolean }>(service.url, '/health')
  assert.deepEqual([health.apm_configured, health.apm_enabled], [true, true])

  const answers: AnswerBody[] = []
  for (let i = 0; i < SLOW_QUERIES; i++) answers.push(await askSlow(service.url, i))
  const diagnosis = sendJson<{ findings: { kind: string; span: string; severity: string }[] }>(
    `${service.url}/diagnosis`,
    'POST',
    { seconds: 8 }
  )
  for (let i = 0; i < SLOW_QUERIES; i++) answers.push(await askSlow(service.url, i))
  const { body } = await diagnosis
  await sendJson(`${service.url}/faults`, 'PUT', { enabled: false })
  for (let i = 0; i < QUERIES; i++) answers.push(await ask(service.url, i))
  await assertPrices(service.url)
  const { exitCode, shutdownMs } = await service.end()
  t.diagnostic(`shutdown in ${Math.round(shutdownMs)} ms`)
  assert.equal(exitCode, 0)
  assert.ok(shutdownMs < MAX_SHUTDOWN_MS, `${shutdownMs} ms`)

  const faults = body.findings.filter(({ kind, severity }) => kind === 'cpu' && severity === 'fault')
  assert.deepEqual(new Set(faults.map(({ span }) => span)), new Set(Object.values(SPAN_BY_FUNCTION)))

  const received = await readTraces(agentUrl, name)
  const traces = received.filter((spans) => spans.some(({ resource }) => resource === 'POST /query'))
  const sampled = answers.filter(({ sampled }) => sampled)
  assert.deepEqual(traces.map(traceIdOf).toSorted(), sampled.map(({ trace_id }) => trace_id).toSorted())
  assert.ok(sampled.length > 0 && sampled.length < answers.length)
  for (const spans of traces) {
    const paths = pathsOf(spans)
    for (const stage of ['rag.retrieve', 'rag.cache', 'rag.rerank', 'openai.generate']) {
      assert.ok(paths.includes(`POST /query > ${stage}`), paths.join('\n'))
    }
    assert.ok(
      paths.some((each) => each.startsWith('POST /query > rag.retrieve > SELECT')),
      paths.join('\n')
    )
    for (const { service: of, meta } of spans) {
      assert.deepEqual([of, meta.env, meta.version], [name, 'testing', '1.2.3'])
    }
  }
  assert.deepEqual(
    Object.values(await readFailedChecks(agentUrl)).filter((failures) => failures > 0),
    []
  )
  await assertProfiles(name, received.flat())
})

interface Cost {
  profiler: { owner: string }
  estimated_monthly_cost_usd: number
  monthly_cost: { hosts_usd: number; spans_usd: number; profiled_hosts_usd: number; spans_per_month: number }
  backends: { name: string; started: number }[]
}

/** The course's: $15 a host, $5 a million spans, $31 a profiled host. */
async function assertPrices(url: string): Promise<void> {
  const { profiler, estimated_monthly_cost_usd, monthly_cost, backends } = await readJson<Cost>(
    url,
    '/apm/metrics'
  )
  assert.equal(profiler.owner, 'datadog')
  const spansPerMonth = HOURS_PER_MONTH * (backends[0]?.started ?? 0)
  const spansUsd = Math.round(spansPerMonth * 5e-4) / 100
  assert.ok(spansUsd > 0)
  const { hosts_usd, spans_usd, profiled_hosts_usd, spans_per_month } = monthly_cost
  assert.deepEqual(
    [hosts_usd, spans_usd, profiled_hosts_usd, spans_per_month],
    [15, spansUsd, 31, spansPerMonth]
  )
  assert.equal(estimated_monthly_cost_usd, Math.round((15 + 31 + spansUsd) * 100) / 100)
}

async function assertProfiles(service: string, spans: DatadogSpan[]): Promise<void> {
  const profiles = await readProfiles(agentUrl, service)
  const names = new Map(spans.map((span) => [span.span_id, span.name]))
  const samples = profiles.flatMap(({ wall }: { wall: Profile }) => readSamples(wall))
  const labelled = samples.filter(({ labels }) => labels['span id'] !== undefined)
  assert.ok(labelled.length > 0)
  assert.deepEqual(
    labelled.filter(({ labels }) => !names.has(labels['span id'] as bigint)),
    []
  )
  for (const [name, span] of Object.entries(SPAN_BY_FUNCTION)) {
    const ofFunction = labelled.filter(({ functions }) => functions.includes(name))
    const spans = new Set(ofFunction.map(({ labels }) => names.get(labels['span id'] as bigint)))
    assert.deepEqual([...spans], [span], name)
  }
  assert.ok(labelled.every(({ labels }) => labels['trace endpoint'] !== undefined))
  assert.ok(Object.keys(profiles[0]?.event.endpoint_counts ?? {}).includes('POST /query'))
  for (const { event } of profiles) {
    const tags = event.tags_profiler.split(',')
    for (const tag of ['env:testing', 'version:1.2.3']) assert.ok(tags.includes(tag), event.tags_profiler)
  }
}

async function medianAnswerMs(urls: string[]): Promise<number[]> {
  const times = urls.map((): number[] => [])
  for (let i = 0; i < QUERIES; i++) {
    for (const [index, url] of urls.entries()) {
      const startedAt = performance.now()
      await ask(url, i)
      times[index]?.push(performance.now() - startedAt)
    }
  }
  return times.map((each) => each.toSorted((a, b) => a - b)[QUERIES / 2] ?? Number.NaN)
}

test('an agent that refuses or hangs fails and slows no request, and is reported', async (t) => {
  const unanswered: ServerResponse[] = []
  const hanging = createServer((_request, response) => void unanswered.push(response))
  hanging.listen(0, '127.0.0.1')
  await once(hanging, 'listening')
  t.after(() => {
    hanging.closeAllConnections()
    hanging.close()
  })
  const hangingUrl = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`
  const env = { SAMPLING_RATE: '1', FAULTS: 'none' }
  const [without, refused, stuck] = await Promise.all([
    startService(env),
    startService({ ...env, DD_TRACE_AGENT_URL: 'http://127.0.0.1:9' }),
    startService({ ...env, DD_TRACE_AGENT_URL: hangingUrl })
  ])
  const services = [without, refused, stuck]
  const [bareMs = 0, refusedMs = 0, stuckMs = 0] = await medianAnswerMs(services.map(({ url }) => url))
  t.diagnostic(`median answer: no agent ${bareMs} ms, refusing ${refusedMs} ms, hanging ${stuckMs} ms`)
  assert.ok(refusedMs < 2 * bareMs && stuckMs < 2 * bareMs)

  await assertReported(refused.url)
  for (const ended of await Promise.all(services.map((service) => service.end()))) {
    assert.equal(ended.exitCode, 0)
    assert.ok(ended.shutdownMs < MAX_SHUTDOWN_MS, `${ended.shutdownMs} ms`)
    t.diagnostic(`shutdown in ${Math.round(ended.shutdownMs)} ms`)
  }
})

/** dd-trace sends every 2 s. */
async function assertReported(url: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const { backends } = await readJson<{
      backends: { name: string; failed: number; last_error: { message: string } | null }[]
    }>(url, '/apm/metrics')
    const datadog = backends.find(({ name }) => name === 'datadog')
    if (datadog && datadog.failed > 0) {
      assert.equal(datadog.last_error?.message, 'ECONNREFUSED')
      return
    }
    await delay(200)
  }
  assert.fail('no failed span within 10 s')
}
