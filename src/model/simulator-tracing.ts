import type { IncomingMessage, ServerResponse } from 'node:http'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider
} from '@opentelemetry/sdk-trace'

export interface SimulatorTracing {
  /** Makes the request's server span, a child of the caller's span; sampled when the caller's is. */
  traceRequest(request: IncomingMessage, response: ServerResponse): void
  /** Sends what is left. */
  shutdown(): Promise<void>
}

/** Tracing of the simulated model, as the service `openai-simulator`. @param otlpEndpoint without `/v1/traces` */
export function startTracing(otlpEndpoint: string): SimulatorTracing {
  const exporter = new OTLPTraceExporter({ url: `${otlpEndpoint}/v1/traces` })
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ 'service.name': 'openai-simulator' })),
    sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }),
    spanProcessors: [new BatchSpanProcessor({ exporter })]
  })
  const tracer = provider.getTracer('openai-simulator')
  const propagator = new W3CTraceContextPropagator()

  function traceRequest(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '' } = request
    const path = url.split('?')[0] ?? ''
    const parent = propagator.extract(ROOT_CONTEXT, request.headers, headerGetter)
    const attributes = { 'http.request.method': method, 'url.path': path, 'url.scheme': 'http' }
    const span = tracer.startSpan(`${method} ${path}`, { kind: SpanKind.SERVER, attributes }, parent)
    response.once('close', function endSpan() {
      if (response.headersSent) span.setAttribute('http.response.status_code', response.statusCode)
      if (!response.writableFinished)
        span.setStatus({ code: SpanStatusCode.ERROR, message: 'the client went away' })
      span.end()
    })
  }

  return { traceRequest, shutdown: () => provider.shutdown() }
}

const headerGetter = {
  get: (headers: IncomingMessage['headers'], name: string) => headers[name],
  keys: (headers: IncomingMessage['headers']) => Object.keys(headers)
}
