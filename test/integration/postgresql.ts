/**
 * The database on a real PostgreSQL. TEST_DATABASE_URL names a database made for this: its schema `rag_demo` is
 * dropped and seeded again.
 */
import assert from 'node:assert/strict'
import { before, suite, type TestContext, test } from 'node:test'
import pg from 'pg'
import { type DatabaseOptions, openDatabase } from '../../src/database/database.ts'
import { createFaultRegistry } from '../../src/faults.ts'
import { retrieve } from '../../src/pipeline/retrieve.ts'
import { until } from '../database/connections.ts'
import { testRetrieve } from '../pipeline/retrieve-suite.ts'

const QUERY = 'Which encryption keys have to be rotated every year?'
const fixed = createFaultRegistry('none').snapshot()
const unavailable = { name: 'DatabaseUnavailableError', statusCode: 503, code: 'DATABASE_UNAVAILABLE' }

const databaseUrl = process.env.TEST_DATABASE_URL
assert.ok(databaseUrl, 'set TEST_DATABASE_URL to a database made for tests')

async function run(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function openForTest(t: TestContext, options: DatabaseOptions = {}) {
  const database = await openDatabase({ databaseUrl, ...options })
  t.after(() => database.close())
  return database
}

suite('seeding', () => {
  const LIST_OTHERS = `
    SELECT relname, relfilenode FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname NOT IN ('rag_demo', 'pg_toast') ORDER BY 1, 2`
  const COUNT_ROWS = 'SELECT count(*)::int AS chunks, max(id) AS last FROM rag_demo.chunks'
  const steps: string[] = []
  const options = { onProgress: (step: string) => steps.push(step) }

  before(() => run('DROP SCHEMA IF EXISTS rag_demo CASCADE'))

  test('two that start at once seed once, and touch nothing outside the schema', async (t) => {
    const others = await run(LIST_OTHERS)
    await Promise.all([openForTest(t, options), openForTest(t, options)])
    assert.equal(steps.filter((step) => step.startsWith('seeding 2,000 documents')).length, 1)
    assert.deepEqual(await run(LIST_OTHERS), others)
  })

  test('the next one finds everything done', async (t) => {
    steps.length = 0
    await openForTest(t, options)
    assert.deepEqual(steps, [])
  })

  test('rows of another version are replaced', async (t) => {
    const rows = await run(COUNT_ROWS)
    await run("UPDATE rag_demo.seed SET version = 'other'; DELETE FROM rag_demo.chunks WHERE id % 2 = 0")
    await openForTest(t, options)
    assert.deepEqual(await run(COUNT_ROWS), rows)
  })
})

testRetrieve('a real PostgreSQL', () => openDatabase({ databaseUrl }))

suite('trouble', () => {
  test('a database that does not exist is named', async () => {
    const url = new URL(databaseUrl)
    url.pathname = '/nowhere'
    await assert.rejects(openDatabase({ databaseUrl: url.href }), {
      message: 'PostgreSQL at DATABASE_URL cannot be used: database "nowhere" does not exist'
    })
  })

  test('a statement that takes too long is cancelled, and its connection serves the next', async (t) => {
    const database = await openForTest(t, { queryTimeoutMs: 300 })
    await assert.rejects(
      database.withClient((client) => client.query('SELECT pg_sleep(30)')),
      unavailable
    )
    assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
  })

  test('a statement whose caller leaves is cancelled in the server', async (t) => {
    const database = await openForTest(t)
    const countSleepers = () => run("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
    const leaver = new AbortController()
    const left = assert.rejects(
      database.withClient((client) => client.query('SELECT pg_sleep(60)'), leaver.signal),
      { message: 'left' }
    )
    await until('it runs', async () => (await countSleepers()).length === 1)
    leaver.abort(new Error('left'))
    await left
    await until('it has ended', async () => (await countSleepers()).length === 0)
    assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
  })

  test('connections the server closes, idle or in use, are replaced', async (t) => {
    const database = await openForTest(t)
    const others = "pid <> pg_backend_pid() AND application_name = 'compliance-copilot-rag'"
    const inUse = assert.rejects(
      database.withClient((client) => client.query('SELECT pg_sleep(30)')),
      unavailable
    )
    await Promise.all([retrieve(database, QUERY, fixed), retrieve(database, QUERY, fixed)])
    await run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`)
    await inUse
    await until('healthy again', () => database.isHealthy(500))
    assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
  })
})
