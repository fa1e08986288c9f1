import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { dumpCacheKey } from '../../src/database/dump-cache.ts'
import { type EmbeddedDatabase, openEmbeddedDatabase } from '../../src/database/embedded-database.ts'
import { createFaultRegistry } from '../../src/faults.ts'
import { retrieve } from '../../src/pipeline/retrieve.ts'
import { isListening, readPort, until } from './connections.ts'

const QUERY = 'Which encryption keys have to be rotated every year?'
const fixed = createFaultRegistry('none').snapshot()
const oneByOne = { ...fixed, 'n-plus-one-queries': true }
const unavailable = { name: 'DatabaseUnavailableError', statusCode: 503, code: 'DATABASE_UNAVAILABLE' }

const steps: string[] = []
const warnings: string[] = []
const logger = { info: () => {}, warn: (_: object, message: string) => warnings.push(message) }
const dumpName = `database-${dumpCacheKey()}.tar.gz`
let directory: string
let database: EmbeddedDatabase
let other: EmbeddedDatabase

function open(): Promise<EmbeddedDatabase> {
  return openEmbeddedDatabase({
    cacheDirectories: [directory],
    onProgress: (step) => steps.push(step),
    logger,
    queryTimeoutMs: 1000
  })
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'embedded-database-'))
  await writeFile(join(directory, dumpName), gzipSync('not a data directory'))
  database = await open()
})
after(async () => {
  await Promise.all([database?.close(), other?.close()])
  await rm(directory, { recursive: true })
})

test('the first start puts a good dump in the place of a damaged one, and the next one restores it', async () => {
  assert.equal(steps.filter((step) => step.startsWith('seeding 2,000 documents')).length, 1)
  assert.deepEqual(await readdir(directory), [dumpName])

  steps.length = 0
  other = await open()
  assert.deepEqual(steps, [])
  const chunks = await retrieve(database, QUERY, fixed)
  assert.ok(chunks.length > 0)
  assert.deepEqual(await retrieve(other, QUERY, fixed), chunks)
})

test('each process has a copy of its own', async () => {
  await other.withClient((client) => client.query('DELETE FROM rag_demo.indexed_chunks'))
  assert.deepEqual(await retrieve(other, QUERY, fixed), [])
  assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
})

test('nothing listens any more after close, which may be called twice', async () => {
  const port = await readPort(other)
  await Promise.all([other.close(), other.close()])
  await until('the port is closed', async () => !(await isListening(port)))
  assert.equal(await other.isHealthy(100), false)
  await assert.rejects(retrieve(other, QUERY, fixed), unavailable)
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

test('a statement that does not end is given up, and the database comes back', async () => {
  await assert.rejects(
    database.withClient((client) => client.query('SELECT count(*) FROM generate_series(1, 1e12)')),
    { ...unavailable, reason: 'timeout' }
  )
  await until('healthy again', () => database.isHealthy(100))
  assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
})

test('whoever leaves in the midst of a statement, or waiting for one, keeps nobody from an answer', async () => {
  const { serverPid } = database
  const left = new Error('left')
  const leaver = new AbortController()
  const line = Array.from({ length: 10 }, () =>
    assert.rejects(retrieve(database, QUERY, oneByOne, leaver.signal), left)
  )
  const stayed = retrieve(database, QUERY, fixed)
  await setTimeout(20)
  leaver.abort(left)
  await Promise.all(line)
  assert.ok((await stayed).length > 0)
  assert.ok((await retrieve(database, QUERY, fixed)).length > 0)
  assert.equal(database.serverPid, serverPid)
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

test('healthy while the line for the one connection moves, unhealthy when it does not', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const answered = database.withClient((client) => client.query('SELECT 1'))
  // The check itself waits behind this one: that the one before was answered is all it has.
  const stuck = database.withClient(() => promise)
  assert.equal(await database.isHealthy(2000), true)
  await answered
  assert.equal(await database.isHealthy(50), false)
  resolve()
  await stuck
  assert.equal(await database.isHealthy(5000), true)
})

test('a parent that is killed leaves no server behind, not even inside a statement', async () => {
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
