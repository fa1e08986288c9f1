import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { DatadogDeliveries } from '../../src/telemetry/datadog-deliveries.ts'
import { until } from '../service.ts'

let status = 200
const agent = createServer((message, response) => {
  message.resume()
  if (status === 0) message.socket.destroy()
  else response.writeHead(status).end('{}')
})
agent.listen(0, '127.0.0.1')
await once(agent, 'listening')
after(() => agent.close())
const { port } = agent.address() as AddressInfo

function startDeliveries(t: { after(fn: () => void): void }): DatadogDeliveries {
  const deliveries = new DatadogDeliveries()
  deliveries.start()
  t.after(() => deliveries.stop())
  return deliveries
}

/** As dd-trace does it. */
async function send(traces: number, body: string, path = '/v0.4/traces'): Promise<void> {
  const outgoing = request({
    host: '127.0.0.1',
    port,
    path,
    method: 'PUT',
    agent: false,
    headers: {
      'content-length': body.length,
      ...(traces > 0 ? { 'X-Datadog-Trace-Count': String(traces) } : {})
    }
  })
  outgoing.end(body)
  const ended = Promise.withResolvers<void>()
  outgoing.on('error', () => ended.resolve())
  outgoing.on('response', (response) => response.resume().on('end', ended.resolve))
  await ended.promise
}

test('what the agent takes is exported, whatever has come up since', async (t) => {
  const deliveries = startDeliveries(t)
  for (const spans of [3, 5]) deliveries.addChunk(spans)
  const sending = send(2, 'two traces')
  deliveries.addChunk(7)
  await sending
  await until(() => deliveries.counts.exported === 8)
  assert.equal(deliveries.counts.pending, 7)
})

test('what dd-trace threw away before it sent the rest is dropped, and the rest is exported', async (t) => {
  const deliveries = startDeliveries(t)
  for (const spans of [3, 5, 7]) deliveries.addChunk(spans)
  await send(1, 'the last trace')
  await until(() => deliveries.counts.exported === 7)
  const { dropped, failed, pending, lastError } = deliveries.counts
  assert.deepEqual([dropped, failed, pending], [8, 0, 0])
  assert.match(lastError?.message ?? '', /too much waits/)
})

test('what it refuses has failed, until it is sent again and taken', async (t) => {
  const deliveries = startDeliveries(t)
  deliveries.addChunk(4)
  status = 503
  await send(1, 'one trace')
  await until(() => deliveries.counts.failed === 4)
  assert.equal(deliveries.counts.dropped, 4)
  assert.match(deliveries.counts.lastError?.message ?? '', /503/)
  status = 200
  await send(1, 'one trace')
  await until(() => deliveries.counts.exported === 4)
  const { failed, dropped, pending } = deliveries.counts
  assert.deepEqual([failed, dropped, pending], [0, 0, 0])
})

test('a batch that looks like one that failed is a batch of its own', async (t) => {
  const deliveries = startDeliveries(t)
  status = 503
  deliveries.addChunk(4)
  await send(1, 'one trace')
  await until(() => deliveries.counts.failed === 4)
  status = 200
  deliveries.addChunk(4)
  await send(1, 'one trace')
  await until(() => deliveries.counts.exported === 4)
  assert.deepEqual([deliveries.counts.dropped, deliveries.counts.pending], [4, 0])
  deliveries.addChunk(4)
  deliveries.addChunk(4)
  await send(1, 'one trace')
  await until(() => deliveries.counts.exported === 8)
  assert.deepEqual([deliveries.counts.dropped, deliveries.counts.pending], [0, 8])
})

test('a connection that breaks is a failure with its code', async (t) => {
  const deliveries = startDeliveries(t)
  deliveries.addChunk(2)
  status = 0
  await send(1, 'one trace')
  await until(() => deliveries.counts.failed === 2)
  assert.equal(deliveries.counts.lastError?.message, 'ECONNRESET')
})

test("profiles are counted by themselves, and other people's requests are not", async (t) => {
  const deliveries = startDeliveries(t)
  deliveries.addChunk(2)
  status = 200
  await send(0, 'a profile', '/profiling/v1/input')
  await send(0, 'spans for somebody else', '/v1/traces')
  await until(() => deliveries.profiles.accepted === 1)
  const { accepted, failed, recentlyAccepted } = deliveries.profiles
  assert.deepEqual([accepted, failed, recentlyAccepted.lastHour(Date.now())], [1, 0, 1])
  assert.deepEqual([deliveries.counts.pending, deliveries.counts.exported], [2, 0])
})

test('chunks that nobody sends are dropped, not kept', () => {
  const deliveries = new DatadogDeliveries()
  for (let i = 0; i < 10_005; i++) deliveries.addChunk(2)
  assert.deepEqual([deliveries.counts.pending, deliveries.counts.dropped], [20_000, 10])
})
