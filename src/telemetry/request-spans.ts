/**
 * One server span for each request, made in Fastify's own hooks: measured at a third of what
 * @opentelemetry/instrumentation-http and instrumentation-fastify cost, which wrap every request's emitters and
 * make a span for each hook and handler as well.
 */
import {
  type Attributes,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace
} from '@opentelemetry/api'
import { RPCType, setRPCMetadata } from '@opentelemetry/core'
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PEER_ADDRESS,
  ATTR_NETWORK_PEER_PORT,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_PATH,
  ATTR_URL_QUERY,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL
} from '@opentelemetry/semantic-conventions'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CALLER_GONE } from '../errors.ts'
import { FORCED_ATTRIBUTE } from './sampler.ts'

const tracer = trace.getTracer('span-to-line')

const untracedPaths =
  /^\/(?:$|(?:health|metrics|docs|openapi\.json|debug|diagnosis|page|favicon\.ico)(?:\/|$))/

/**
 * Makes the onRequest hook that runs the rest of a request in its server span, which ends with the response. To be
 * added before any other hook, so that every answer carries `traceresponse`.
 * @param onTracedRequest called for each request that gets a span, before it is decided whether it is sampled
 */
export function createServerSpanHook(onTracedRequest: () => void) {
  return function startServerSpan(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    const [path = '', query] = request.url.split('?', 2)
    if (isUntraced(request, path)) {
      done()
      return
    }
    onTracedRequest()
    const caller = propagation.extract(ROOT_CONTEXT, request.headers)
    const span = tracer.startSpan(
      nameOf(request),
      { kind: SpanKind.SERVER, attributes: describeBriefly(request) },
      caller
    )
    // Nine of ten are not recorded, and describing a request takes as long as starting its span.
    if (span.isRecording()) span.setAttributes(describeRequest(request, path, query))
    setTraceResponse(reply, span)
    reply.raw.once('close', function endServerSpan() {
      describeResponse(span, reply)
      span.end()
    })
    const inSpan = setRPCMetadata(trace.setSpan(caller, span), { type: RPCType.HTTP, span })
    context.with(inSpan, done)
  }
}

/**
 * Health checks, scrapes, the page, the documentation and the diagnosis, which must not find itself; and a GET
 * that asks for it, as the page's do: looking at the service is not its traffic.
 */
function isUntraced({ method, headers }: FastifyRequest, path: string): boolean {
  return (method === 'GET' && headers['x-untraced'] === '1') || untracedPaths.test(path)
}

function nameOf({ method, routeOptions }: FastifyRequest): string {
  return routeOptions.url === undefined ? method : `${method} ${routeOptions.url}`
}

/** What the sampler and the span processors see at the span's start. */
function describeBriefly({ method, headers, routeOptions }: FastifyRequest): Attributes {
  return {
    [ATTR_HTTP_REQUEST_METHOD]: method,
    ...(routeOptions.url !== undefined && { [ATTR_HTTP_ROUTE]: routeOptions.url }),
    ...(headers['x-force-sample'] === '1' && { [FORCED_ATTRIBUTE]: true })
  }
}

/** The rest, by the semantic conventions. */
function describeRequest(request: FastifyRequest, path: string, query: string | undefined): Attributes {
  const { headers, socket } = request
  return {
    [ATTR_URL_SCHEME]: request.protocol,
    [ATTR_URL_PATH]: path,
    [ATTR_SERVER_ADDRESS]: request.hostname,
    [ATTR_CLIENT_ADDRESS]: request.ip,
    [ATTR_NETWORK_PROTOCOL_VERSION]: request.raw.httpVersion,
    ...(socket.remoteAddress && { [ATTR_NETWORK_PEER_ADDRESS]: socket.remoteAddress }),
    ...(socket.remotePort && { [ATTR_NETWORK_PEER_PORT]: socket.remotePort }),
    ...(request.port && { [ATTR_SERVER_PORT]: request.port }),
    ...(query && { [ATTR_URL_QUERY]: query }),
    ...(headers['user-agent'] && { [ATTR_USER_AGENT_ORIGINAL]: headers['user-agent'] })
  }
}

function describeResponse(span: Span, { raw }: FastifyReply): void {
  if (!span.isRecording()) return
  const statusCode = raw.writableFinished ? raw.statusCode : CALLER_GONE
  span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, statusCode)
  if (statusCode < 500) return
  span.setAttribute(ATTR_ERROR_TYPE, String(statusCode))
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** The caller learns its trace here (W3C Trace Context, level 2), whatever becomes of the request. */
function setTraceResponse(reply: FastifyReply, span: Span): void {
  const spanContext = span.spanContext()
  if (!isSpanContextValid(spanContext)) return
  const flags = spanContext.traceFlags.toString(16).padStart(2, '0')
  reply.header('traceresponse', `00-${spanContext.traceId}-${spanContext.spanId}-${flags}`)
}
