import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { Client, PoolClient } from 'pg'
import type { Database } from '../../src/database/database.ts'

/** Polls until the condition holds. Fails after the deadline, so that a test says what did not come about. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  deadlineMs = 20_000
): Promise<void> {
  const startedAt = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedAt > deadlineMs) throw new Error(`${what}: not within ${deadlineMs} ms`)
    await setTimeout(20)
  }
}

/** The same database; `record` is told of each statement that is sent. */
export function recordStatements(
  database: Database,
  record: (text: string, values?: unknown[]) => void
): Database {
  function withClient<T>(fn: (client: PoolClient) => Promise<T>): Promise<T> {
    return database.withClient((client) => {
      const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<unknown>
      const recording = Object.create(client, {
        query: {
          value(text: string, values?: unknown[]) {
            record(text, values)
            return query(text, values)
          }
        }
      })
      return fn(recording)
    })
  }
  return {
    engine: database.engine,
    withClient,
    isHealthy: (timeoutMs) => database.isHealthy(timeoutMs),
    close: () => database.close()
  }
}

/** The port of the database's server, as the connection knows it. */
export function readPort(database: Database): Promise<number> {
  return database.withClient(async (client) => (client as unknown as Client).port)
}

/** Whether anything listens there: unlike a process id, a port is not kept by a zombie. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
