import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startSimulatedModel } from '../../src/model/simulator.ts'

interface OtlpSpan {
  name: string
  kind: number
  traceId: string
  parentSpanId: string
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[]
}

interface OtlpBody {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] }
    scopeSpans: { spans: OtlpSpan[] }[]
  }[]
}

/** Stands in for a collector. */
async function startCollector(t: TestContext) {
  const received: { url: string | undefined; body: OtlpBody }[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    received.push({ url: request.url, body: JSON.parse(body) })
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { received, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const traceId = '0af7651916cd43dd8448eb211c80319c'
const parentSpanId = 'b7ad6b7169203331'
const server = 2 // SPAN_KIND_SERVER of OTLP

function post(baseUrl: string, headers: Record<string, string>): Promise<Response> {
  const body = JSON.stringify({ model: 'gpt-4', messages: [{ role: 'user', content: 'x' }] })
  return fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers, body })
}

test('its server span continues the trace of a sampled caller, and is sent before the process ends', async (t) => {
  const { received, endpoint } = await startCollector(t)
  const model = await startSimulatedModel({ latencyScale: 0, otlpEndpoint: endpoint })
  await post(model.baseUrl, { traceparent: `00-${traceId}-${parentSpanId}-01` })
  await post(model.baseUrl, { traceparent: `00-${traceId}-${parentSpanId}-00` })
  await post(model.baseUrl, {})
  await post(model.baseUrl, { traceparent: 'nonsense' })
  await model.close()

  assert.deepEqual(
    received.map(({ url }) => url),
    ['/v1/traces']
  )
  const [resourceSpan] = received[0]?.body.resourceSpans ?? []
  const service = resourceSpan?.resource.attributes.find(({ key }) => key === 'service.name')
  assert.equal(service?.value.stringValue, 'openai-simulator')
  const spans = resourceSpan?.scopeSpans.flatMap((scope) => scope.spans) ?? []
  assert.deepEqual(
    spans.map((span) => [span.name, span.kind, span.traceId, span.parentSpanId]),
    [['POST /v1/chat/completions', server, traceId, parentSpanId]]
  )
  const status = spans[0]?.attributes.find(({ key }) => key === 'http.response.status_code')
  assert.equal(status?.value.intValue, 200)
})

test('a dead collector neither breaks an answer nor holds up the end', async () => {
  const model = await startSimulatedModel({ latencyScale: 0, otlpEndpoint: 'http://127.0.0.1:9' })
  const response = await post(model.baseUrl, { traceparent: `00-${traceId}-${parentSpanId}-01` })
  assert.equal(response.status, 200)
  await model.close()
})
