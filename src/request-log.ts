import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { redactUrl } from './telemetry/redaction.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Runs as long as the caller asked for, so it is never slow. */
    takesLong?: boolean
  }
}

/** One line for each finished request instead of Fastify's two; a slow one is a warning. */
export class RequestLog extends LogController {
  readonly #slowRequestMs: number

  constructor(slowRequestMs: number) {
    super()
    this.#slowRequestMs = slowRequestMs
  }

  override incomingRequest(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply
  ): void {
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
