/** A real PostgreSQL that dies and comes back under load. POSTGRESQL_BIN is where its programs are. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { until } from '../processes.ts'
import { startServer } from '../server-process.ts'
import { ask } from '../system/flood.ts'

const bin = process.env.POSTGRESQL_BIN
assert.ok(bin, "set POSTGRESQL_BIN to the directory of PostgreSQL's programs")

/** PostgreSQL refuses to run as root. Debian's numbers of nobody and nogroup. */
const NOBODY = 65_534
const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

const directory = mkdtempSync(join(tmpdir(), 'postgresql-'))
if (user.uid !== undefined) chownSync(directory, NOBODY, NOBODY)
const port = await findFreePort()
const databaseUrl = `postgresql://postgres@127.0.0.1:${port}/postgres`
let postgres: ChildProcess

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: free } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return free
}

async function startPostgres(): Promise<void> {
  const options = ['-D', `${directory}/data`, '-p', String(port), '-c', 'listen_addresses=127.0.0.1']
  postgres = spawn(`${bin}/postgres`, [...options, '-c', 'unix_socket_directories=', '-c', 'fsync=off'], {
    ...user,
    cwd: directory,
    stdio: 'ignore'
  })
  await until('PostgreSQL answers', canConnect)
}

async function canConnect(): Promise<boolean> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  return client.connect().then(
    () => client.end().then(() => true),
    () => false
  )
}

const made = spawnSync(
  `${bin}/initdb`,
  ['-D', `${directory}/data`, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
  { ...user, cwd: directory, encoding: 'utf8' }
)
assert.equal(made.status, 0, made.stderr)
await startPostgres()
after(async () => {
  postgres.kill('SIGKILL')
  if (postgres.exitCode === null && postgres.signalCode === null) await once(postgres, 'exit')
  rmSync(directory, { recursive: true, force: true })
})

for (const [what, signal] of [
  ['shut down', 'SIGINT'],
  ['killed', 'SIGKILL']
] as const) {
  test(`${what} under load and started again: 503 with Retry-After meanwhile, and well by itself after`, async (t) => {
    const { child, url } = await startServer({ DATABASE_URL: databaseUrl })
    const answers: { status: number; retryAfter?: string | undefined }[] = []
    const over = new AbortController()
    async function askOn(): Promise<void> {
      while (!over.signal.aborted) answers.push(await ask(url))
    }
    const callers = [askOn(), askOn(), askOn()]
    await until('the first answer', () => answers.length > 0)
    postgres.kill(signal)
    await once(postgres, 'exit')
    await until('/health says so', async () => (await fetch(`${url}/health`)).status === 503)
    assert.equal((await fetch(`${url}/health/live`)).status, 200)
    await delay(500)
    await startPostgres()
    await until('it answers again', async () => (await ask(url)).status === 200)
    over.abort()
    await Promise.all(callers)
    const refused = answers.filter(({ status }) => status !== 200)
    t.diagnostic(`${refused.length} of ${answers.length} questions were told to come again`)
    assert(refused.length > 0)
    for (const each of refused)
      assert(each.status === 503 && Number(each.retryAfter) > 0, JSON.stringify(each))
    assert.equal((await fetch(`${url}/health`)).status, 200)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })
}
