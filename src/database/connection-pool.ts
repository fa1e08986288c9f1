import { setImmediate, setTimeout } from 'node:timers/promises'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import pg from 'pg'
import { untilAborted } from '../evidence/until-aborted.ts'
import type { DatabaseLogger } from './database.ts'
import { DatabaseUnavailableError } from './errors.ts'
import { needsPlanSwitch, switchPlans } from './plan-notices.ts'

/** A server that is there answers in milliseconds, even across regions. */
const CONNECT_TIMEOUT_MS = 5_000

/** PostgreSQL's error codes for "not now": connection (08), too many (53), shutdown (57P), statement_timeout. */
const UNAVAILABLE_SQLSTATE = /^(08...|53...|57P..|57014)$/

/**
 * Gives up connecting after a while. As an option of the pool the same limit would also hold for the wait in
 * its queue, and a burst of requests would be told that the database is gone.
 */
class ImpatientClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super({ ...config, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  }
}

// Outside the request that happens to need it: what its socket does later would all count as that request's.
ImpatientClient.prototype.connect = function connectOutsideRequests(this: pg.Client, ...args: unknown[]) {
  return context.with(ROOT_CONTEXT, () => Reflect.apply(pg.Client.prototype.connect, this, args))
}

/** pg's pool with one kind of error for "the database is not there", and a health check that never throws. */
export class ConnectionPool {
  readonly #pool: pg.Pool
  readonly #cancelsStatements: boolean
  #answered = 0
  #ping: Promise<boolean> | undefined

  /** @param options.cancelsStatements the server can be told to end a statement that nobody waits for any more */
  constructor(
    config: pg.PoolConfig,
    {
      logger,
      cancelsStatements = false
    }: { logger?: DatabaseLogger | undefined; cancelsStatements?: boolean }
  ) {
    this.#cancelsStatements = cancelsStatements
    this.#pool = new pg.Pool({ ...config, Client: ImpatientClient })
    // An 'error' event nobody listens to would end the process when the server closes an idle connection.
    this.#pool.on('error', function noteIdleConnectionLost(error) {
      logger?.warn({ err: error }, 'a database connection was lost while idle')
    })
  }

  /** See Database.withClient. A connection that broke, timed out or was left is not used again. */
  async withClient<T>(fn: (client: pg.PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const client = await this.#connect(signal)
    let lost: DatabaseUnavailableError | undefined
    function noteLost(error: Error): void {
      lost = toUnavailable(error)
    }
    const leave = () => this.#leave(client)
    client.on('error', noteLost)
    signal?.addEventListener('abort', leave, { once: true })
    try {
      if (needsPlanSwitch(client)) await switchPlans(client)
      const result = await fn(client)
      this.#answered++
      return result
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (isUnavailable(error)) lost ??= toUnavailable(error)
      throw lost ?? error
    } finally {
      client.off('error', noteLost)
      signal?.removeEventListener('abort', leave)
      client.release(lost ?? signal?.aborted)
    }
  }

  /** Closes the connection under the statement that runs on it. The server would run that to its end all the same. */
  #leave(client: pg.PoolClient): void {
    const { processID } = client as pg.PoolClient & { processID?: number }
    void client.end().catch(() => {})
    if (!this.#cancelsStatements) return
    context.with(ROOT_CONTEXT, () => {
      void this.#pool.query('SELECT pg_cancel_backend($1)', [processID]).catch(() => {})
    })
  }

  /**
   * See Database.isHealthy. Where all connections are busy the check waits in line; that others were answered in
   * the meantime shows as much as an answer of its own.
   */
  async isHealthy(timeoutMs: number): Promise<boolean> {
    const answeredBefore = this.#answered
    this.#ping ??= this.#sendPing()
    return Promise.race([this.#ping, this.#wasAnsweredWithin(timeoutMs, answeredBefore)])
  }

  /** Closes the connections once they are free, or after the grace in any case. */
  async end(graceMs: number): Promise<void> {
    await Promise.race([this.#pool.end(), setTimeout(graceMs, undefined, { ref: false })])
  }

  async #connect(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    const connecting = this.#pool.connect()
    try {
      return await untilAborted(connecting, signal)
    } catch (error) {
      if (!signal?.aborted) throw toUnavailable(error as Error)
      connecting.then(
        (client) => client.release(),
        () => {}
      )
      throw signal.reason
    }
  }

  async #sendPing(): Promise<boolean> {
    try {
      await this.withClient((client) => client.query('SELECT 1'))
      return true
    } catch {
      return false
    } finally {
      this.#ping = undefined
    }
  }

  async #wasAnsweredWithin(timeoutMs: number, answeredBefore: number): Promise<boolean> {
    await setTimeout(timeoutMs, undefined, { ref: false })
    // After a long computation timers run before sockets are read: the answer may be there, unread.
    await setImmediate()
    return this.#answered > answeredBefore
  }
}

function isUnavailable(error: unknown): error is Error {
  if (error instanceof pg.DatabaseError) return UNAVAILABLE_SQLSTATE.test(error.code ?? '')
  return error instanceof Error && isTimeout(error)
}

/** pg gives its own timeouts no code, only these texts. */
function isTimeout(error: Error): boolean {
  return error.message === 'Query read timeout' || error.message === 'timeout expired'
}

function toUnavailable(error: Error): DatabaseUnavailableError {
  const reason = isTimeout(error) ? 'timeout' : 'connection'
  return new DatabaseUnavailableError(reason, `The database does not answer: ${describe(error)}`, {
    cause: error
  })
}

/** Connecting to a name with several addresses fails with an AggregateError, whose own message is empty. */
export function describe(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((each: Error) => each.message).join(', ')
  return error.message
}
