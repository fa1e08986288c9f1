import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { test } from 'node:test'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { AlwaysOffSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import { Backend } from '../../src/telemetry/backend.ts'

interface TraceRequest {
  resourceSpans: { scopeSpans: { spans: { name: string }[] }[] }[]
}

/** An OTLP/HTTP server that keeps the spans it is sent and answers as `answer` says. */
async function startCollector(answer: (response: ServerResponse) => void) {
  const names: string[] = []
  const server = createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as TraceRequest
    const scopes = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans)
    names.push(...scopes.flatMap(({ spans }) => spans.map(({ name }) => name)))
    answer(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/v1/traces`, names, close: () => server.close() }
}

function createTracer(backend: Backend, sampler?: AlwaysOffSampler) {
  const provider = new TracerProvider({ spanProcessors: [backend], ...(sampler && { sampler }) })
  return provider.getTracer('test')
}

test('what arrives at the backend is what is counted as exported', async () => {
  const collector = await startCollector((response) => response.end('{}'))
  const backend = new Backend('otlp', new OTLPTraceExporter({ url: collector.url }))
  const tracer = createTracer(backend)
  const names = Array.from({ length: 700 }, (_, i) => `span ${i}`)
  for (const name of names) tracer.startSpan(name).end()
  await backend.shutdown()
  collector.close()
  assert.deepEqual(collector.names.toSorted(), names.toSorted())
  assert.deepEqual(backend.counts, {
    started: 700,
    exported: 700,
    failed: 0,
    dropped: 0,
    pending: 0,
    lastError: null
  })
})

test('a backend that refuses is counted and its last error kept', async () => {
  const collector = await startCollector((response) => response.writeHead(400).end())
  const backend = new Backend('otlp', new OTLPTraceExporter({ url: collector.url }))
  createTracer(backend).startSpan('refused').end()
  await backend.shutdown().catch(() => {})
  collector.close()
  const { lastError, ...counts } = backend.counts
  assert.deepEqual(counts, { started: 1, exported: 0, dropped: 1, failed: 1, pending: 0 })
  assert.match(lastError?.message ?? '', /Bad Request|400/)
})

/** A backend that answers nothing until it is told to. */
function createSilentExporter() {
  const waiting: ((result: ExportResult) => void)[] = []
  let isAwake = false
  return {
    export(_spans: unknown, done: (result: ExportResult) => void) {
      if (isAwake) done({ code: ExportResultCode.SUCCESS })
      else waiting.push(done)
    },
    wake() {
      isAwake = true
      for (const done of waiting) done({ code: ExportResultCode.SUCCESS })
    },
    shutdown: async () => {}
  }
}

test('a backend that does not answer costs spans past the queue, not memory', async () => {
  const exporter = createSilentExporter()
  const backend = new Backend('otlp', exporter)
  const tracer = createTracer(backend)
  for (let i = 0; i < 5000; i++) tracer.startSpan('waiting').end()
  const { lastError, ...counts } = backend.counts
  assert.deepEqual(counts, { started: 5000, exported: 0, dropped: 5000 - 2048, failed: 0, pending: 2048 })
  assert.match(lastError?.message ?? '', /queue of 2048 spans is full/)
  exporter.wake()
  await backend.shutdown()
  assert.deepEqual([backend.counts.pending, backend.counts.exported], [0, 2048])
})

test('what is not sampled is neither sent nor counted', () => {
  const backend = new Backend('otlp', createSilentExporter())
  createTracer(backend, new AlwaysOffSampler()).startSpan('unsampled').end()
  assert.deepEqual([backend.counts.started, backend.counts.pending], [0, 0])
})
