/** The database cannot answer now: it is gone, starting again or too slow. Trying again later may help. */
export class DatabaseUnavailableError extends Error {
  readonly statusCode = 503
  readonly code = 'DATABASE_UNAVAILABLE'
  /** `timeout`: connected, but no answer in time. `connection`: no connection, or it broke. */
  readonly reason: 'connection' | 'timeout'

  constructor(reason: 'connection' | 'timeout', message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DatabaseUnavailableError'
    this.reason = reason
  }
}
