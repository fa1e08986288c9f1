import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { redactUrl } from './telemetry/redaction.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Runs as long as the caller asked for, so it is never slow. */
    takesLong?: boolean
  }
}

/**
 * One line for each finished request instead of Fastify's two; a slow one is a warning. What else wants to know of a
 * finished request is told here as well: an onResponse hook would be traced, after the request's span has ended.
 */
export class RequestLog extends LogController {
  readonly #slowRequestMs: number
  readonly #onCompleted: (request: FastifyRequest, reply: FastifyReply) => void

  constructor(slowRequestMs: number, onCompleted: (request: FastifyRequest, reply: FastifyReply) => void) {
    super()
    this.#slowRequestMs = slowRequestMs
    this.#onCompleted = onCompleted
  }

  override incomingRequest(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply
  ): void {
    this.#onCompleted(request, reply)
    const durationMs = reply.elapsedTime
    const isSlow = durationMs > this.#slowRequestMs && !request.routeOptions.config.takesLong
    const line = {
      method: request.method,
      url: redactUrl(request.url),
      status_code: reply.statusCode,
      duration_ms: Math.round(durationMs * 10) / 10
    }
    if (error) reply.log.error({ ...line, err: error }, 'request failed while it was answered')
    else if (isSlow) reply.log.warn(line, 'slow request')
    else reply.log.info(line, 'request completed')
  }
}
