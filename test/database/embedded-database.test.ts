import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { dumpCacheKey } from '../../src/database/dump-cache.ts'
import {
  type EmbeddedDatabase,
  type EmbeddedOptions,
  openEmbeddedDatabase
} from '../../src/database/embedded-database.ts'
import { createFaultRegistry } from '../../src/faults.ts'
import { retrieve } from '../../src/pipeline/retrieve.ts'
import { isListening, readPort, until } from './connections.ts'

const QUERY = 'Which encryption keys have to be rotated every year?'
const fixed = createFaultRegistry('none').snapshot()
const unavailable = { name: 'DatabaseUnavailableError', statusCode: 503, code: 'DATABASE_UNAVAILABLE' }

const warnings: string[] = []
let database: EmbeddedDatabase
before(async () => {
  const logger = { info: () => {}, warn: (_: object, message: string) => warnings.push(message) }
  database = await openEmbeddedDatabase({ logger })
})
after(() => database.close())

async function openForTest(t: TestContext, options: EmbeddedOptions = {}) {
  const database = await openEmbeddedDatabase(options)
  t.after(() => database.close())
  return database
}

async function makeTemporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'embedded-database-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

test('two that start at once replace a damaged dump by one, and the next one restores it', async (t) => {
  const directory = await makeTemporaryDirectory(t)
  const name = `database-${dumpCacheKey()}.tar.gz`
  await writeFile(join(directory, name), gzipSync('not a data directory'))
  const steps: string[] = []
  const options = { cacheDirectories: [directory], onProgress: (step: string) => steps.push(step) }
  const [first, second] = await Promise.all([openForTest(t, options), openForTest(t, options)])
  assert.equal(steps.filter((step) => step.startsWith('seeding 2,000 documents')).length, 2)
  assert.deepEqual(await readdir(directory), [name])

  steps.length = 0
  const third = await openForTest(t, options)
  assert.deepEqual(steps, [])
  const chunks = await retrieve(first, QUERY, fixed)
  assert.ok(chunks.length > 0)
  assert.deepEqual(await retrieve(second, QUERY, fixed), chunks)
  assert.deepEqual(await retrieve(third, QUERY, fixed), chunks)
})

test('each process has a copy of its own', async (t) => {
  const [one, other] = await Promise.all([openForTest(t), openForTest(t)])
  await one.withClient((client) => client.query('DELETE FROM rag_demo.indexed_chunks'))
  assert.deepEqual(await retrieve(one, QUERY, fixed), [])
  assert.ok((await retrieve(other, QUERY, fixed)).length > 0)
})

test('a server that is killed fails the statement in flight at once and comes back by itself', async () => {
  const found = await retrieve(database, QUERY, fixed)
  const { serverPid } = database
  const waiting = Array.from({ length: 5 }, () =>
    assert.rejects(
      database.withClient((client) => client.query('SELECT count(*) FROM generate_series(1, 1e12)')),
      unavailable
    )
  )
  process.kill(serverPid as number, 'SIGKILL')
  await Promise.all(waiting)
  assert.equal(await database.isHealthy(100), false)
  await assert.rejects(retrieve(database, QUERY, fixed), unavailable)

  await until('healthy again', () => database.isHealthy(100))
  assert.notEqual(database.serverPid, serverPid)
  assert.deepEqual(await retrieve(database, QUERY, fixed), found)
  assert.ok(warnings.includes('the embedded PostgreSQL died and is started again'), warnings.join())
})

test('a statement that does not end is given up, and the database comes back', async (t) => {
  const database = await openForTest(t, { queryTimeoutMs: 500 })
  await assert.rejects(
    database.withClient((client) => client.query('SELECT count(*) FROM generate_series(1, 1e12)')),
    { ...unavailable, reason: 'timeout' }
  )
  await until('healthy again', () => database.isHealthy(100))
  assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
})

test('a wrong statement is its caller’s own error and costs no connection', async () => {
  const { serverPid } = database
  await assert.rejects(
    database.withClient((client) => client.query('SELECT nothing FROM nowhere')),
    { name: 'error', code: '42P01' }
  )
  assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
  assert.equal(database.serverPid, serverPid)
})

test('healthy while a long line waits for the one connection, unhealthy when it does not move', async () => {
  const line = Array.from({ length: 40 }, () =>
    retrieve(database, QUERY, { ...fixed, 'n-plus-one-queries': true })
  )
  assert.equal(await database.isHealthy(200), true)
  await Promise.all(line)
  assert.equal(await database.isHealthy(1000), true)

  const { promise, resolve } = Promise.withResolvers<void>()
  const stuck = database.withClient(() => promise)
  assert.equal(await database.isHealthy(50), false)
  resolve()
  await stuck
  assert.equal(await database.isHealthy(1000), true)
})

test('nothing listens any more after close, which may be called twice', async () => {
  const database = await openEmbeddedDatabase({})
  const port = await readPort(database)
  await Promise.all([database.close(), database.close()])
  await until('the port is closed', async () => !(await isListening(port)))
  assert.equal(await database.isHealthy(100), false)
  await assert.rejects(retrieve(database, QUERY, fixed), unavailable)
})

test('a parent that is killed leaves no server behind', async () => {
  const parent = fork(join(import.meta.dirname, 'open-and-wait.ts'), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc']
  })
  const [line] = await once(parent.stdout as NodeJS.ReadableStream, 'data')
  const port = Number(line)
  assert.equal(await isListening(port), true)
  parent.kill('SIGKILL')
  await until('the port is closed', async () => !(await isListening(port)))
})

test('Ctrl-C in the terminal leaves the server to its parent', async () => {
  const { serverPid } = database
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(serverPid as number, signal)
  assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
  assert.equal(database.serverPid, serverPid)
})
