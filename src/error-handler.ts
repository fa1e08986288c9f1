import type { FastifyReply, FastifyRequest } from 'fastify'
import { HttpError, retryAfterS, toErrorBody } from './errors.ts'
import type { RequestMetrics } from './metrics/request-metrics.ts'
import { getCurrentTrace, getServerSpan } from './telemetry/server-span.ts'
import { recordError } from './telemetry/traced.ts'

type FailureMetrics = Pick<RequestMetrics, 'countError' | 'observeRequest'>

/**
 * Makes the one error handler: it logs everything, and tells the caller what is the caller's to know.
 * @param metrics are told of each error, and of each request whose caller does not wait for its end
 */
export function createErrorHandler({ countError, observeRequest }: FailureMetrics) {
  return function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const traceId = getCurrentTrace()?.traceId
    const body = toErrorBody(error, traceId ? `trace_id ${traceId}` : `reqId ${request.id}`)
    countError(body.code)
    const span = getServerSpan()
    if (span && body.statusCode >= 500) recordError(span, error)
    if (error instanceof HttpError) request.log.info({ code: body.code }, error.message)
    else if (body.statusCode >= 500) request.log.error({ err: error }, 'request failed')
    else request.log.info({ code: body.code }, body.message)
    const seconds = retryAfterS(error)
    if (seconds !== undefined) reply.header('retry-after', seconds)
    reply.code(body.statusCode).send(body)
    // Nobody is there to finish the answer for: without this a caller's patience would be missing from the slow ones.
    if (reply.raw.destroyed) observeRequest(request, reply)
  }
}
