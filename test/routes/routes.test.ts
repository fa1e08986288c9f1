import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import type { FaultInfo } from '../../src/faults.ts'
import { FAULT_NAMES } from '../../src/faults.ts'
import { createModelClient } from '../../src/model/client.ts'
import type { TraceSummary } from '../../src/telemetry/recent-traces.ts'
import { until } from '../processes.ts'
import { sendJson, startHeldModel, startService, untilTraceEnded } from '../service.ts'

const service = await startService({
  FAULTS: 'none',
  DD_API_KEY: 'hunter2',
  DD_AGENT_HOST: 'user:hunter2@agent'
})
after(service.close)

async function getJson<Body>(path: string): Promise<{ status: number; body: Body }> {
  const response = await fetch(service.url + path)
  return { status: response.status, body: (await response.json()) as Body }
}

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'

/** GET /metrics; fetch would not let the host be set. */
async function scrape(headers: Record<string, string>) {
  const [response] = (await once(get(`${service.url}/metrics`, { headers }), 'response')) as [IncomingMessage]
  const { 'content-type': contentType = '', traceresponse } = response.headers
  return { contentType, traceresponse, text: await text(response) }
}

const question = { query: 'What are the data retention rules?' }

test('an answer has the fields of the contract', async () => {
  const { status, body } = await sendJson(`${service.url}/query`, 'POST', question)
  assert.equal(status, 200)
  assert.deepEqual(Object.keys(body).toSorted(), [
    'apm_enabled',
    'context_length',
    'num_results',
    'query',
    'response',
    'sampled',
    'sources',
    'stages',
    'trace_id',
    'usage'
  ])
  assert.deepEqual(
    body.stages.map((stage) => stage.name),
    ['rag.retrieve', 'rag.cache', 'rag.rerank', 'openai.generate']
  )
  assert(body.num_results > 0 && body.sources.length > 0 && body.response.length > 0)
})

test('the body says who asks, else the header, else nobody', async () => {
  const cases = [
    [{ user_id: 'ann' }, { 'x-user-id': 'bob' }, 'ann'],
    [{}, { 'x-user-id': 'bob' }, 'bob'],
    [{}, {}, 'anonymous']
  ] as const
  for (const [body, headers, userId] of cases) {
    const answer = await sendJson(`${service.url}/query`, 'POST', { ...question, ...body }, headers)
    const spans = await untilTraceEnded(answer.body.trace_id)
    assert.deepEqual(
      spans.filter(({ name }) => name === 'POST /query').map(({ attributes }) => attributes['user.id']),
      [userId]
    )
  }
})

test('health tells what runs', async () => {
  const { status, body } = await getJson<Record<string, unknown>>('/health')
  assert.equal(status, 200)
  const { uptime_s, version, ...rest } = body
  assert(typeof uptime_s === 'number' && uptime_s >= 0)
  assert.match(String(version), /^\d+\.\d+\.\d+$/)
  assert.deepEqual(rest, {
    status: 'ok',
    apm_enabled: false,
    apm_configured: true,
    service: 'compliance-copilot-rag',
    environment: 'development',
    database: { engine: 'embedded', ok: true }
  })
  assert.deepEqual(await getJson('/health/live'), { status: 200, body: { status: 'ok' } })
})

test('the faults are listed with their real lines and switched live, one or all', async () => {
  const root = join(import.meta.dirname, '../..')
  const { body } = await getJson<{ faults: FaultInfo[] }>('/faults')
  assert.deepEqual(
    body.faults.map(({ name, enabled }) => [name, enabled]),
    FAULT_NAMES.map((name) => [name, false])
  )
  for (const { name, file, line } of body.faults) {
    const marked = readFileSync(join(root, file), 'utf8')
      .split('\n')
      .slice(line - 2, line)
    assert(
      marked.some((text) => text.endsWith(`// fault: ${name}`)),
      `${file}:${line}`
    )
  }
  const one = await sendJson<FaultInfo>(`${service.url}/faults/n-plus-one-queries`, 'PUT', { enabled: true })
  assert.deepEqual([one.status, one.body.name, one.body.enabled], [200, 'n-plus-one-queries', true])
  assert.equal(service.faults.snapshot()['n-plus-one-queries'], true)
  const all = await sendJson<{ faults: FaultInfo[] }>(`${service.url}/faults`, 'PUT', { enabled: false })
  assert.deepEqual([...new Set(all.body.faults.map(({ enabled }) => enabled))], [false])
})

test('recent traces are found by user, tenant, duration and status, and shown span by span', async () => {
  const { body } = await sendJson(`${service.url}/query`, 'POST', question, {
    'x-user-id': 'finder',
    'x-tenant-id': 'acme'
  })
  const spans = await untilTraceEnded(body.trace_id)
  const idsOf = async (query: string) => {
    const { body } = await getJson<{ traces: TraceSummary[] }>(`/traces?${query}`)
    return body.traces.map((trace) => trace.trace_id)
  }
  for (const query of ['user_id=finder', 'tenant_id=acme', 'user_id=finder&status=ok&min_duration_ms=0']) {
    assert.deepEqual(await idsOf(query), [body.trace_id], query)
  }
  for (const query of [
    'user_id=finder&status=error',
    'user_id=finder&min_duration_ms=3600000',
    'user_id=nobody'
  ]) {
    assert.deepEqual(await idsOf(query), [], query)
  }
  const trace = await getJson<{ spans: { name: string; parent_span_id: string | null }[] }>(
    `/traces/${body.trace_id}`
  )
  assert.deepEqual(
    trace.body.spans.map(({ name }) => name).toSorted(),
    spans.map(({ name }) => name).toSorted()
  )
  assert.deepEqual(
    trace.body.spans.filter((span) => span.parent_span_id === null).map(({ name }) => name),
    ['POST /query']
  )
})

test('memory figures are never negative, and the document cache is emptied', async () => {
  type Stats = {
    memory_stats: Record<string, number> & { document_cache: { entries: number; approx_mb: number } }
  }
  service.faults.set('unbounded-document-cache', true)
  await sendJson(`${service.url}/query`, 'POST', { query: 'How long are audit logs kept?' })
  service.faults.set('unbounded-document-cache', false)
  const { memory_stats } = (await getJson<Stats>('/memory/stats')).body
  const { current_mb = -1, peak_mb = -1, baseline_mb = -1, growth_mb = -1, document_cache } = memory_stats
  assert(baseline_mb > 0 && current_mb >= baseline_mb && peak_mb >= current_mb && growth_mb >= 0)
  assert(document_cache.entries > 0 && document_cache.approx_mb > 0)

  const freed = await fetch(`${service.url}/memory/document-cache`, { method: 'DELETE' })
  assert.deepEqual(await freed.json(), {
    freed_mb: document_cache.approx_mb,
    entries: document_cache.entries
  })
  const after = (await getJson<Stats>('/memory/stats')).body.memory_stats.document_cache
  assert.deepEqual(after, { entries: 0, approx_mb: 0 })
})

test('the effective settings are shown without secrets', async () => {
  const { status, body } = await getJson<{ sampling_rate: number; datadog: { api_key_set: boolean } }>(
    '/apm/config'
  )
  assert.equal(status, 200)
  assert(!JSON.stringify(body).includes('hunter2'))
  assert.deepEqual([body.sampling_rate, body.datadog.api_key_set], [1, true])
})

test('the metrics tell the rate and count the requests', async () => {
  const path = '/apm/metrics'
  type Metrics = { sampling: { effective_rate: number; requests_last_hour: number }; backends: unknown[] }
  const before = await getJson<Metrics>(path)
  await sendJson(`${service.url}/query`, 'POST', question)
  const { body } = await getJson<Metrics>(path)
  assert.deepEqual([body.sampling.effective_rate, body.backends], [1, []])
  // The query and this request itself.
  assert.equal(body.sampling.requests_last_hour - before.body.sampling.requests_last_hour, 2)
})

test('Prometheus gets the metrics under any host name, untraced, with trace ids as exemplars', async () => {
  const { body } = await sendJson(`${service.url}/query`, 'POST', question)
  for (const path of ['/nowhere', '/no/where', '/%00']) await fetch(service.url + path)
  const { traceresponse, ...answer } = await scrape({ host: 'scraped.example', accept: OPEN_METRICS })
  assert.equal(traceresponse, undefined)
  assert.match(answer.contentType, /^application\/openmetrics-text/)
  assert.match(
    answer.text,
    new RegExp(
      `^rag_stage_duration_seconds_bucket{.*stage="rag.rerank"}.* # {trace_id="${body.trace_id}"}`,
      'm'
    )
  )
  assert.match(
    answer.text,
    /^http_request_duration_seconds_count{.*route="\/query",status_code="200"} [1-9]/m
  )
  assert.match(answer.text, /^http_request_duration_seconds_count{.*route="unknown",status_code="404"} 3$/m)
  assert.doesNotMatch(answer.text, /where|finder|acme/)
  assert.match((await scrape({ host: 'scraped.example' })).contentType, /^text\/plain; version=0\.0\.4/)
})

test('a caller that leaves counts among the requests, with the time it waited', async () => {
  const held = await startHeldModel()
  const model = createModelClient({ baseUrl: held.baseUrl, model: 'gpt-4', timeoutMs: 10_000 })
  const { url } = await service.listen({}, model)
  const leaving = new AbortController()
  const asked = fetch(`${url}/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
    signal: leaving.signal
  })
  await held.asked
  leaving.abort()
  await assert.rejects(asked)
  await until('it is counted', async () =>
    /duration_seconds_count{.*status_code="499"} 1$/m.test(await (await fetch(`${url}/metrics`)).text())
  )
})

test('the costs add up by plan and model, with what a cheaper model would have cost', async () => {
  const { app, url } = await service.listen({ tenantPlans: { acme: 'enterprise' } })
  const { body: answer } = await sendJson(`${url}/query`, 'POST', question, { 'x-tenant-id': 'acme' })
  await sendJson(`${url}/query`, 'POST', question)
  const costs = (await (await fetch(`${url}/costs`)).json()) as {
    queries: number
    cost_usd: number
    cost_usd_per_query: number
    by_plan: { plan: string; queries: number }[]
    by_model: { model: string; queries: number }[]
    cheaper_model: { model: string; cost_usd: number; saved_usd: number }
  }
  await app.close()
  assert.deepEqual([costs.queries, costs.cost_usd_per_query], [2, answer.usage.cost_usd])
  assert.deepEqual(
    costs.by_plan.map(({ plan, queries }) => [plan, queries]),
    [
      ['enterprise', 1],
      ['free', 1]
    ]
  )
  assert.deepEqual(
    costs.by_model.map(({ model, queries }) => [model, queries]),
    [['gpt-4', 2]]
  )
  const { model, cost_usd, saved_usd } = costs.cheaper_model
  assert.equal(model, 'gpt-4o-mini')
  assert.ok(cost_usd > 0 && Math.abs(cost_usd + saved_usd - costs.cost_usd) < 1e-9)
})

test('the OpenAPI document has every route, and the page that shows it keeps to itself', async () => {
  const { body } = await getJson<{ paths: Record<string, Record<string, unknown>> }>('/openapi.json')
  const routes = Object.entries(body.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`)
  )
  for (const route of [
    'get /health',
    'get /health/live',
    'post /query',
    'get /faults',
    'put /faults',
    'put /faults/{name}',
    'post /diagnosis',
    'get /traces',
    'get /traces/{trace_id}',
    'get /apm/config',
    'get /apm/metrics',
    'get /metrics',
    'get /costs',
    'post /feedback',
    'get /feedback'
  ]) {
    assert(routes.includes(route), route)
  }
  const page = await fetch(`${service.url}/docs`)
  assert.equal(page.status, 200)
  const policy = page.headers.get('content-security-policy') ?? ''
  assert.match(policy, /^default-src 'self'/)
  assert(!/unsafe|https?:/.test(policy), policy)
  assert(!/<script(?![^>]*src=)|https?:\/\//.test(await page.text()))
})
