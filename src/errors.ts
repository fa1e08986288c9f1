import { STATUS_CODES } from 'node:http'
import type { FastifyError } from 'fastify'

/** An error whose status, code and (below 500) text are meant for the caller. */
export class HttpError extends Error {
  readonly statusCode: number
  readonly code: string
  constructor(statusCode: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HttpError'
    this.statusCode = statusCode
    this.code = code
  }
}

/** nginx's status for a caller that did not wait for the answer. */
export const CALLER_GONE = 499

/** Under four times the load that can be served it answered again within this time of the load's end. */
const RETRY_AFTER_S = 5

/** For the header Retry-After: what the error itself says, and else 5 s for "not now" (503). */
export function retryAfterS(thrown: unknown): number | undefined {
  const { retryAfterS: seconds, statusCode } = thrown as { retryAfterS?: number; statusCode?: number }
  return seconds ?? (statusCode === 503 ? RETRY_AFTER_S : undefined)
}

/** What the caller gets: Fastify's own shape, always with a code. */
export interface ErrorBody {
  statusCode: number
  code: string
  error: string
  message: string
}

export function createErrorBody(statusCode: number, code: string, message: string): ErrorBody {
  return { statusCode, code, error: STATUS_CODES[statusCode] ?? 'Error', message }
}

/** For Fastify's own texts that say what is wrong but not what to do about it. */
const advice: Record<string, string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send the body as JSON, with the header "content-type: application/json".',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty: send a JSON object, or leave the content-type away.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON: check its quotes, commas and brackets.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is larger than 64 KB: send less.'
}

/**
 * Turns anything that was thrown into the answer's body. From 500 on the text is kept from the caller: it may
 * hold addresses, statements or other callers' data. `reference` leads to it in the log.
 */
export function toErrorBody(thrown: unknown, reference: string): ErrorBody {
  const error = thrown as Partial<FastifyError>
  const statusCode = error.statusCode ?? 500
  if (statusCode >= 400 && statusCode < 500) {
    const code = error.code ?? 'BAD_REQUEST'
    return createErrorBody(statusCode, code, advice[code] ?? describeFaults(error) ?? error.message ?? code)
  }
  const message =
    statusCode === 503
      ? `The service cannot answer now: try again later; the log has the cause under ${reference}.`
      : `The request failed on our side; the log has the cause under ${reference}.`
  // A driver's own code ("42P01") tells the caller nothing: only an error that chose its status has one for it.
  const code = error.statusCode === undefined ? undefined : error.code
  return createErrorBody(Math.max(statusCode, 500), code ?? 'INTERNAL_ERROR', message)
}

/** Every fault of a request that its schema refused: `body.query must not be empty; …`. */
function describeFaults({ validation, validationContext }: Partial<FastifyError>): string | undefined {
  return validation
    ?.map(({ instancePath, message }) => {
      const path = instancePath.split('/').filter((part) => part !== '')
      return `${[validationContext, ...path].join('.')} ${message}`
    })
    .join('; ')
}
