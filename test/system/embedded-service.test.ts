/** The whole service on the embedded PostgreSQL, and what it does when that is killed. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import sampleData from '../../example_data.json' with { type: 'json' }
import { testService } from '../database/service-suite.ts'
import { descendantsOf, startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'

const CLIENTS = 8
/** Two seconds on a machine that does nothing else; this one may be shared. */
const WELL_AGAIN_MS = 30_000

testService('the embedded PostgreSQL', {})

suite('the embedded PostgreSQL is killed under load', () => {
  test('only 503s with Retry-After, and well again by itself', async (t) => {
    const server = await startServer({ LOG_LEVEL: 'warn' })
    const statuses = new Map<number, number>()
    let slowestMs = 0
    let killedAt = 0
    let firstWellMs = Number.POSITIVE_INFINITY
    let isOver = false

    async function askOnAndOn(client: number): Promise<void> {
      for (let i = client; !isOver; i++) {
        const query = sampleData.sample_queries[i % sampleData.sample_queries.length]
        const startedAt = performance.now()
        const { status, headers, body } = await sendJson(`${server.url}/query`, 'POST', { query })
        slowestMs = Math.max(slowestMs, performance.now() - startedAt)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status === 503) assert.match(headers.get('retry-after') ?? '', /^\d+$/, JSON.stringify(body))
        else assert.equal(status, 200, JSON.stringify(body))
        if (killedAt > 0 && startedAt > killedAt && status === 200) {
          firstWellMs = Math.min(firstWellMs, performance.now() - killedAt)
          isOver = true
        }
        // A refused client asks again in a moment, or this would be nothing but refusals.
        if (status === 503) await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    async function killDatabase(): Promise<void> {
      while ((statuses.get(200) ?? 0) < 2 * CLIENTS) await new Promise((resolve) => setTimeout(resolve, 10))
      killedAt = performance.now()
      process.kill(findDatabase(server.child.pid), 'SIGKILL')
    }

    const clients = Array.from({ length: CLIENTS }, (_, client) => askOnAndOn(client))
    await Promise.all([killDatabase(), ...clients])
    t.diagnostic(
      `well again after ${Math.round(firstWellMs)} ms, the slowest answer ${Math.round(slowestMs)} ms`
    )
    t.diagnostic(`statuses ${JSON.stringify(Object.fromEntries(statuses))}`)
    assert.ok((statuses.get(503) ?? 0) > 0, 'nobody noticed')
    assert.ok(firstWellMs < WELL_AGAIN_MS, `${firstWellMs} ms`)
    const health = (await (await fetch(`${server.url}/health`)).json()) as { database: { ok: boolean } }
    assert.equal(health.database.ok, true)
  })
})

function findDatabase(pid: number | undefined): number {
  const found = descendantsOf(pid).find((child) =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('embedded-server')
  )
  assert.ok(found, 'no embedded PostgreSQL below the service')
  return found
}
