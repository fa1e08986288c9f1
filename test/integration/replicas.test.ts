/**
 * Two replicas behind a load balancer on one PostgreSQL, as deploy/README.md describes them. TEST_DATABASE_URL names
 * a database made for tests.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { findOrStartService, type RunningService } from '../../src/cli/service.ts'
import { type AnswerBody, sendJson } from '../service.ts'

assert.ok(process.env.TEST_DATABASE_URL, 'set TEST_DATABASE_URL to a database made for tests')

const QUESTION = { query: 'What are the data retention rules?' }
const FORCE_SAMPLE = { 'x-force-sample': '1' }

interface TraceBody {
  spans: { name: string; span_id: string; parent_span_id: string | null }[]
}

let replicas: RunningService[] = []
let balancer: ReturnType<typeof createServer>
let url: string

/** Each request to the next replica, as a Kubernetes Service spreads connections. */
async function startBalancer() {
  let turn = 0
  balancer = createServer(function forward(incoming, outgoing) {
    turn += 1
    const replica = new URL(replicas[turn % replicas.length]?.url ?? '')
    const { method, url: path, headers } = incoming
    const upstream = request(
      { host: replica.hostname, port: replica.port, method, path, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      }
    )
    upstream.on('error', () => outgoing.destroy())
    incoming.pipe(upstream)
  }).listen(0, '127.0.0.1')
  await once(balancer, 'listening')
  url = `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`
}

before(async () => {
  // The replicas get this process's environment. Both start on an empty schema at once.
  Object.assign(process.env, {
    DATABASE_URL: process.env.TEST_DATABASE_URL,
    FAULTS: 'none',
    SIMULATED_LATENCY_SCALE: '0'
  })
  const own = { url: undefined, defaultUrl: 'http://127.0.0.1:1', onProgress: () => {} }
  replicas = await Promise.all([findOrStartService(own), findOrStartService(own)])
  await startBalancer()
})

after(async () => {
  balancer?.close()
  balancer?.closeAllConnections()
  await Promise.all(replicas.map((replica) => replica.stop()))
})

function ask(at: string, headers: Record<string, string> = {}) {
  return sendJson<AnswerBody>(`${at}/query`, 'POST', QUESTION, headers)
}

async function findTrace(replica: RunningService, traceId: string): Promise<TraceBody | undefined> {
  const response = await fetch(`${replica.url}/traces/${traceId}`)
  return response.ok ? ((await response.json()) as TraceBody) : undefined
}

test('each request is answered alike by whichever replica, and its trace is whole in the one that answered', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url, FORCE_SAMPLE)))
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 200)
  )
  assert.equal(new Set(answers.map(({ body }) => body.response)).size, 1)
  const held = { 0: 0, 1: 0 }
  for (const { body } of answers) {
    const traces = await Promise.all(replicas.map((replica) => findTrace(replica, body.trace_id)))
    const [trace, ...others] = traces.filter((each) => each !== undefined)
    assert.ok(trace, `${body.trace_id} is nowhere`)
    assert.deepEqual(others, [])
    held[traces.indexOf(trace) as 0 | 1] += 1
    const ids = new Set(trace.spans.map(({ span_id }) => span_id))
    const roots = trace.spans.filter(({ parent_span_id }) => !ids.has(parent_span_id ?? ''))
    assert.deepEqual(
      roots.map(({ name }) => name),
      ['POST /query']
    )
    for (const stage of ['rag.retrieve', 'rag.cache', 'rag.rerank', 'openai.generate'])
      assert.ok(trace.spans.some(({ name }) => name === stage))
  }
  assert.deepEqual(held, { 0: 10, 1: 10 })
})

test("one caller's trace over both replicas keeps its id and its decision", async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
  for (const { body } of [await ask(url, { traceparent }), await ask(url, { traceparent })])
    assert.deepEqual([body.trace_id, body.sampled], [traceId, true])
  for (const replica of replicas) assert.ok(await findTrace(replica, traceId))
})

test('a fault, the document cache, a vote and a trace belong to the replica that has them', async () => {
  const [first, second] = replicas as [RunningService, RunningService]
  await sendJson(`${first.url}/faults/unbounded-document-cache`, 'PUT', { enabled: true })
  async function isOn(replica: RunningService): Promise<boolean> {
    const { faults } = (await (await fetch(`${replica.url}/faults`)).json()) as {
      faults: { name: string; enabled: boolean }[]
    }
    return faults.some(({ name, enabled }) => name === 'unbounded-document-cache' && enabled)
  }
  assert.deepEqual([await isOn(first), await isOn(second)], [true, false])

  const { body } = await ask(first.url, FORCE_SAMPLE)
  const vote = { trace_id: body.trace_id, rating: 'down' }
  assert.equal((await sendJson<unknown>(`${first.url}/feedback`, 'POST', vote)).status, 202)
  assert.equal((await sendJson<unknown>(`${second.url}/feedback`, 'POST', vote)).status, 404)
  assert.equal(await findTrace(second, body.trace_id), undefined)
})

test('one replica ends without a lost answer, and the other goes on', async () => {
  const [first, second] = replicas as [RunningService, RunningService]
  const asked = Array.from({ length: 10 }, () => ask(first.url))
  // In flight, all of them, when the signal comes.
  await new Promise((resolve) => setImmediate(resolve))
  const answered = Promise.all(asked)
  const first200 = await asked[0]
  assert.equal(first200?.status, 200)
  await first.stop()
  for (const { status } of await answered) assert.equal(status, 200)
  replicas = [second]
  assert.equal((await ask(url)).status, 200)
})
