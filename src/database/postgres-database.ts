import pg from 'pg'
import { ConnectionPool, describe } from './connection-pool.ts'
import type { Database, DatabaseOptions } from './database.ts'
import { ensureSeeded, type OnProgress } from './seed-database.ts'

const MAX_CONNECTIONS = 10
const QUERY_TIMEOUT_MS = 15_000
/** The server's own limit ends a slow statement first; ours, this much later, is for a server that went silent. */
const SILENCE_MS = 2_000
const CLOSE_GRACE_MS = 3_000

/**
 * Connects to a real PostgreSQL and seeds the schema `rag_demo` there where it is not of this version.
 * Rejects with one clear error; neither its text nor its cause holds the password.
 */
export async function openPostgresDatabase(databaseUrl: string, options: DatabaseOptions): Promise<Database> {
  const { onProgress = () => {}, logger, queryTimeoutMs = QUERY_TIMEOUT_MS } = options
  if (!URL.canParse(databaseUrl)) {
    throw new Error('DATABASE_URL is not an address: write postgres://user:password@host:5432/database')
  }
  const connection = { connectionString: databaseUrl, application_name: 'compliance-copilot-rag' }
  await seedServer(connection, onProgress)
  const pool = new ConnectionPool(
    {
      ...connection,
      max: MAX_CONNECTIONS,
      statement_timeout: queryTimeoutMs,
      query_timeout: queryTimeoutMs + SILENCE_MS
    },
    { logger, cancelsStatements: true }
  )
  let closing: Promise<void> | undefined
  return {
    engine: 'postgresql',
    withClient: (fn, signal) => pool.withClient(fn, signal),
    isHealthy: (timeoutMs) => pool.isHealthy(timeoutMs),
    close: () => {
      closing ??= pool.end(CLOSE_GRACE_MS)
      return closing
    }
  }
}

/** On a connection of its own: seeding takes longer than a statement of a request may. */
async function seedServer(connection: pg.ClientConfig, onProgress: OnProgress): Promise<void> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000 })
  // Without a listener a connection that breaks between two statements would end the process without our message.
  client.on('error', () => {})
  try {
    await client.connect()
    await ensureSeeded(
      { exec: (sql) => client.query(sql), query: (sql, parameters) => client.query(sql, parameters) },
      onProgress
    )
  } catch (error) {
    throw new Error(`PostgreSQL at DATABASE_URL cannot be used: ${describe(error as Error)}`, {
      cause: error
    })
  } finally {
    await client.end().catch(() => {})
  }
}
