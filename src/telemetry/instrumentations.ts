import type { IncomingMessage } from 'node:http'
import { type Attributes, isSpanContextValid, type Span } from '@opentelemetry/api'
import type { Instrumentation } from '@opentelemetry/instrumentation'
import { FastifyInstrumentation } from '@opentelemetry/instrumentation-fastify'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import {
  PgInstrumentation,
  type PgRequestHookInformation,
  type PgResponseHookInformation
} from '@opentelemetry/instrumentation-pg'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { ATTR_DB_QUERY_TEXT } from '@opentelemetry/semantic-conventions'
import { normalizeSql } from '../evidence/sql/normalize.ts'
import { planCapture } from '../evidence/sql/plan-capture.ts'
import { ROWS_ATTRIBUTE, statementLog } from '../evidence/sql/statement-log.ts'
import { FORCED_ATTRIBUTE } from './sampler.ts'

const untracedPaths =
  /^\/(?:$|(?:health|metrics|docs|openapi\.json|debug|diagnosis|page|favicon\.ico)(?:\/|$))/

/**
 * Health checks, scrapes, the page, the documentation and the diagnosis, which must not find itself; and a GET
 * that asks for it, as the page's do: looking at the service is not its traffic.
 */
function isUntraced(request: IncomingMessage): boolean {
  if (request.method === 'GET' && request.headers['x-untraced'] === '1') return true
  const path = request.url?.split('?', 1)[0] ?? ''
  return untracedPaths.test(path)
}

/** Attributes given at the start are the only ones that the sampler sees. */
function readForcedSampling(request: IncomingMessage): Attributes {
  return request.headers['x-force-sample'] === '1' ? { [FORCED_ATTRIBUTE]: true } : {}
}

/** The caller learns its trace here (W3C Trace Context, level 2), whatever becomes of the request. */
function setTraceResponse(span: Span, response: unknown): void {
  const context = span.spanContext()
  if (!isServerResponse(response) || !isSpanContextValid(context)) return
  const flags = context.traceFlags.toString(16).padStart(2, '0')
  response.setHeader('traceresponse', `00-${context.traceId}-${context.spanId}-${flags}`)
}

/** The hook is called for both directions: a client's IncomingMessage has no setHeader. */
function isServerResponse(response: unknown): response is { setHeader(name: string, value: string): void } {
  return typeof response === 'object' && response !== null && 'setHeader' in response
}

/** Values that a caller wrote into its SQL are left out: they are as secret as parameters. */
function noteStatement(span: Span, { query }: PgRequestHookInformation): void {
  span.setAttribute(ATTR_DB_QUERY_TEXT, normalizeSql(query.text))
  statementLog.noteCall(span, query.text)
  planCapture.noteCall(span, query.text, query.values)
}

function setRowCount(span: Span, { data }: PgResponseHookInformation): void {
  if (data.rowCount !== null) span.setAttribute(ROWS_ATTRIBUTE, data.rowCount)
}

/** The comment that joins a plan to its span is sent only while plans are taken. */
class CommentingPgInstrumentation extends PgInstrumentation {
  override getConfig() {
    const config = super.getConfig()
    return planCapture.isTaking ? { ...config, addSqlCommenterCommentToQueries: true } : config
  }
}

/**
 * Spans for requests that come in, for Fastify's handlers, for SQL and for calls to the model.
 * @param onTracedRequest called for each request that gets a span, before it is decided whether it is sampled
 */
export function createInstrumentations(onTracedRequest: () => void): Instrumentation[] {
  function startServerSpan(request: IncomingMessage): Attributes {
    onTracedRequest()
    return readForcedSampling(request)
  }

  return [
    new HttpInstrumentation({
      ignoreIncomingRequestHook: isUntraced,
      startIncomingSpanHook: startServerSpan,
      responseHook: setTraceResponse,
      requireParentforOutgoingSpans: true
    }),
    new FastifyInstrumentation(),
    // Without a parent: the pool's own connections and the seed, thousands of traces of one span.
    new CommentingPgInstrumentation({
      requireParentSpan: true,
      requestHook: noteStatement,
      responseHook: setRowCount
    }),
    new UndiciInstrumentation({ requireParentforSpans: true })
  ]
}
