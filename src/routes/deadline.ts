import type { FastifyReply } from 'fastify'
import { CALLER_GONE, HttpError } from '../errors.ts'
import { getServerSpan } from '../telemetry/server-span.ts'
import { recordError } from '../telemetry/traced.ts'

/**
 * The end of a request's work: aborted when its caller leaves, which the server span then tells, or when it takes
 * longer than `timeoutMs`. Fastify's own `request.signal` aborts as soon as the body is read (seen in 5.12.8).
 */
export function createDeadline(reply: FastifyReply, timeoutMs: number): AbortSignal {
  const controller = new AbortController()
  const span = getServerSpan()
  const timer = setTimeout(function giveUp() {
    controller.abort(new HttpError(503, 'QUERY_TIMEOUT', `There was no answer within ${timeoutMs} ms.`))
  }, timeoutMs)
  // First of all listeners: another one ends the span.
  reply.raw.prependOnceListener('close', function abortUnfinished() {
    clearTimeout(timer)
    if (reply.raw.writableFinished) return
    const error = callerGone()
    if (span) recordError(span, error)
    controller.abort(error)
  })
  return controller.signal
}

/** Aborted when the caller leaves before it has its answer. */
export function createLeavingSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController()
  raw.once('close', function abortUnfinished() {
    if (!raw.writableFinished) controller.abort(callerGone())
  })
  return controller.signal
}

function callerGone(): HttpError {
  return new HttpError(CALLER_GONE, 'CLIENT_CLOSED_REQUEST', 'The caller closed the connection.')
}
