import type { PoolClient } from 'pg'
import { openEmbeddedDatabase } from './embedded-database.ts'
import { openPostgresDatabase } from './postgres-database.ts'
import type { OnProgress } from './seed-database.ts'

/** What the database tells of itself; a pino logger fits. */
export interface DatabaseLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
}

/** The seeded documents, in the embedded PostgreSQL or in a real one. */
export interface Database {
  readonly engine: 'embedded' | 'postgresql'
  /**
   * Runs fn with one connection of the pool, released whatever happens. Stages call client.query() themselves,
   * synchronously from their own function, so that a stack taken when the SQL span starts names the stage's line.
   * Rejects with a DatabaseUnavailableError when there is no connection, it breaks, or a statement takes too long.
   * When `signal` aborts it rejects with its reason: a wait for a connection ends, and a running statement is left.
   */
  withClient<T>(fn: (client: PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** True when a trivial statement answers within timeoutMs. Never throws. */
  isHealthy(timeoutMs: number): Promise<boolean>
  /** Ends connections and, if it is ours, the server. Safe to call more than once. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** Called with each step of what may take seconds, such as seeding. */
  onProgress?: OnProgress
  logger?: DatabaseLogger
  /** How long one statement may take before it is given up; 15,000 unless told. */
  queryTimeoutMs?: number
}

/** Opens the database and makes sure that it holds this version's documents. */
export function openDatabase({
  databaseUrl,
  ...options
}: DatabaseOptions & { databaseUrl?: string | undefined }): Promise<Database> {
  return databaseUrl ? openPostgresDatabase(databaseUrl, options) : openEmbeddedDatabase(options)
}
