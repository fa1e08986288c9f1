/** What the database answered to one query, so that a process without a database can run the pipeline. */
import type { PoolClient } from 'pg'
import type { Database } from '../database/database.ts'
import type { FaultSwitches } from '../faults.ts'
import { OPENING_CHUNKS } from '../pipeline/document-cache.ts'
import { retrieve } from '../pipeline/retrieve.ts'

/** Rows as JSON, by the text of the statement. */
export type RetrievalSnapshot = Record<string, string>

/**
 * Runs the real retrieval once and keeps the rows of its statements, of each document those of its opening: a check
 * runs hundreds of queries, and all chunks would take four times as long.
 */
export async function recordRetrieval(
  database: Database,
  query: string,
  faults: FaultSwitches
): Promise<RetrievalSnapshot> {
  const snapshot: RetrievalSnapshot = {}
  function withClient<T>(fn: (client: PoolClient) => Promise<T>): Promise<T> {
    return database.withClient(function useRecorded(client) {
      async function query(statement: string, values?: unknown[]) {
        const result = await client.query(statement, values)
        snapshot[statement] = JSON.stringify(
          result.rows.filter(({ position = 0 }) => position < OPENING_CHUNKS)
        )
        return result
      }
      return fn({ query } as unknown as PoolClient)
    })
  }
  await retrieve({ ...database, withClient }, query, faults)
  return snapshot
}

/** A database that answers each recorded statement with its rows, whatever the values. */
export function replayRetrieval(snapshot: RetrievalSnapshot): Database {
  async function query(statement: string) {
    const rows = snapshot[statement]
    if (rows === undefined) throw new Error(`no rows were recorded for: ${statement}`)
    // Parsed anew each time: rows that all queries shared would make a cache of them look free.
    return { rows: JSON.parse(rows) }
  }
  return {
    engine: 'embedded',
    withClient: (fn) => fn({ query } as unknown as PoolClient),
    isHealthy: async () => true,
    close: async () => {}
  }
}
