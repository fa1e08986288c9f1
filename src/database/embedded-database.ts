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
/** A start takes a second or two: with this it answers again within five, however often it dies. */
const MAX_RESTART_DELAY_MS = 2_000
/** A server that lived this long did not die of its start: the next restart may be quick again. */
const STABLE_AFTER_MS = 60_000

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
  #child: ChildProcess | undefined
  #pool: ConnectionPool | undefined
  #closing: Promise<void> | undefined
  #restartDelayMs = FIRST_RESTART_DELAY_MS

  constructor(options: EmbeddedOptions) {
    this.#options = options
  }

  /** Process id of the server, while there is one. */
  get serverPid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<void> {
    const { cacheDirectories = defaultCacheDirectories(), onProgress = () => {} } = this.#options
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
      if (this.#closing) return
      if (performance.now() - startedAt > STABLE_AFTER_MS) this.#restartDelayMs = FIRST_RESTART_DELAY_MS
      this.#options.logger?.warn({ code, signal }, 'the embedded PostgreSQL died and is started again')
      void this.#restart()
    })
  }

  async withClient<T>(fn: (client: PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const pool = this.#pool
    if (!pool) throw new DatabaseUnavailableError('connection', 'The embedded PostgreSQL is starting again')
    try {
      return await pool.withClient(fn, signal)
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

  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async #shutDown(): Promise<void> {
    await this.#pool?.end(CLOSE_GRACE_MS)
    if (this.#child) await killServer(this.#child)
  }

  async #restart(): Promise<void> {
    while (!this.#pool) {
      const delayMs = this.#restartDelayMs
      this.#restartDelayMs = Math.min(2 * delayMs, MAX_RESTART_DELAY_MS)
      await setTimeout(delayMs, undefined, { ref: false })
      if (this.#closing) return
      try {
        await this.start()
        this.#options.logger?.info({ pid: this.serverPid }, 'the embedded PostgreSQL answers again')
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
      { logger }
    )
  }
}

/** The first that can be written holds the dump: the repository's own may be read-only, in an image for one. */
function defaultCacheDirectories(): string[] {
  const own = fileURLToPath(new URL('../../.cache', import.meta.url))
  try {
    return [own, join(homedir(), '.cache', 'span-to-line')]
  } catch {
    // A user without an entry in /etc/passwd, as containers have them, has no home.
    return [own]
  }
}
