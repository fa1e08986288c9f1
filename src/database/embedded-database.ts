import type { ChildProcess } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PoolClient } from 'pg'
import { ConnectionPool } from './connection-pool.ts'
import type { Database, DatabaseOptions } from './database.ts'
import { forkServer, killServer, waitForPort } from './embedded-process.ts'
import { DatabaseUnavailableError } from './errors.ts'

const QUERY_TIMEOUT_MS = 15_000
const CLOSE_GRACE_MS = 3_000
const FIRST_RESTART_DELAY_MS = 100
const MAX_RESTART_DELAY_MS = 5_000
/** A server that lived this long did not die of its start: the next restart may be quick again. */
const STABLE_AFTER_MS = 60_000

/** The first that can be written holds the dump: an installed package's own directory may be read-only. */
const CACHE_DIRECTORIES = [
  fileURLToPath(new URL('../../.cache', import.meta.url)),
  join(homedir(), '.cache', 'span-to-line')
]

export interface EmbeddedOptions extends DatabaseOptions {
  cacheDirectories?: string[]
}

/** Starts the embedded PostgreSQL, seeded on the first start, restored from its dump on later ones. */
export async function openEmbeddedDatabase(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const database = new EmbeddedDatabase(options)
  await database.start()
  return database
}

/** PostgreSQL in a child process that is started again whenever it dies. */
export class EmbeddedDatabase implements Database {
  readonly engine = 'embedded'
  readonly #options: EmbeddedOptions
  readonly #closing = new AbortController()
  #child: ChildProcess | undefined
  #pool: ConnectionPool | undefined
  #restartDelayMs = FIRST_RESTART_DELAY_MS

  constructor(options: EmbeddedOptions) {
    this.#options = options
  }

  /** Process id of the server, while there is one. */
  get serverPid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<void> {
    const { cacheDirectories = CACHE_DIRECTORIES, onProgress = () => {} } = this.#options
    const child = forkServer(cacheDirectories)
    this.#child = child
    try {
      this.#pool = this.#connectTo(await waitForPort(child, onProgress))
    } catch (error) {
      await killServer(child)
      throw error
    }
    const startedAt = performance.now()
    child.once('exit', (code, signal) => {
      this.#pool = undefined
      if (this.#closing.signal.aborted) return
      if (performance.now() - startedAt > STABLE_AFTER_MS) this.#restartDelayMs = FIRST_RESTART_DELAY_MS
      this.#options.logger?.warn({ code, signal }, 'the embedded PostgreSQL died and is started again')
      void this.#restart()
    })
  }

  async withClient<T>(fn: (client: PoolClient) => Promise<T>): Promise<T> {
    const pool = this.#pool
    if (!pool) throw new DatabaseUnavailableError('connection', 'The embedded PostgreSQL is starting again')
    try {
      return await pool.withClient(fn)
    } catch (error) {
      const isHung = error instanceof DatabaseUnavailableError && error.reason === 'timeout'
      // It serves one statement at a time and cannot cancel one: only a new process answers again.
      if (isHung && pool === this.#pool) this.#child?.kill('SIGKILL')
      throw error
    }
  }

  async isHealthy(timeoutMs: number): Promise<boolean> {
    return (await this.#pool?.isHealthy(timeoutMs)) ?? false
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    await this.#pool?.end(CLOSE_GRACE_MS)
    if (this.#child) await killServer(this.#child)
  }

  async #restart(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const delayMs = this.#restartDelayMs
      this.#restartDelayMs = Math.min(2 * delayMs, MAX_RESTART_DELAY_MS)
      await setTimeout(delayMs)
      if (this.#closing.signal.aborted) return
      try {
        await this.start()
        this.#options.logger?.info({ pid: this.serverPid }, 'the embedded PostgreSQL answers again')
        return
      } catch (error) {
        this.#options.logger?.warn({ err: error }, 'the embedded PostgreSQL could not be started again')
      }
    }
  }

  #connectTo(port: number): ConnectionPool {
    const { logger, queryTimeoutMs = QUERY_TIMEOUT_MS } = this.#options
    return new ConnectionPool(
      {
        host: '127.0.0.1',
        port,
        user: 'postgres',
        password: '',
        database: 'postgres',
        ssl: false,
        // With more, rows of one statement came back as another's under large parameters.
        max: 1,
        idleTimeoutMillis: 0,
        query_timeout: queryTimeoutMs
      },
      logger
    )
  }
}
