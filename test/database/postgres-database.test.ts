import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { openDatabase } from '../../src/database/database.ts'

const PASSWORD = 'pass-word-of-nobody'

async function openError(databaseUrl: string): Promise<Error> {
  try {
    const database = await openDatabase({ databaseUrl })
    await database.close()
  } catch (error) {
    return error as Error
  }
  throw new Error('opened')
}

test('an address that is none is refused with what to write', async () => {
  const error = await openError(`postgres://user:${PASSWORD}@host:port/database`)
  assert.match(error.message, /^DATABASE_URL is not an address: write postgres:\/\//)
  assert.ok(!inspect(error, { depth: 10 }).includes(PASSWORD))
})

test('a server that is not there is one clear error without the password', async () => {
  const error = await openError(`postgres://user:${PASSWORD}@127.0.0.1:1/database`)
  assert.equal(error.message, 'PostgreSQL at DATABASE_URL cannot be used: connect ECONNREFUSED 127.0.0.1:1')
  assert.ok(!inspect(error, { depth: 10 }).includes(PASSWORD))
})

test('a host name without an address says so', async () => {
  const error = await openError(`postgres://user:${PASSWORD}@nowhere.invalid/database`)
  assert.match(error.message, /^PostgreSQL at DATABASE_URL cannot be used: getaddrinfo .* nowhere\.invalid$/)
  assert.ok(!inspect(error, { depth: 10 }).includes(PASSWORD))
})

test('a server that is no PostgreSQL and hangs up is one clear error', async (t) => {
  const server = createServer((socket) => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const error = await openError(`postgres://user:${PASSWORD}@127.0.0.1:${port}/database`)
  assert.match(error.message, /^PostgreSQL at DATABASE_URL cannot be used: ./)
  assert.ok(!inspect(error, { depth: 10 }).includes(PASSWORD))
})
