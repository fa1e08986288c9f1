/**
 * The embedded PostgreSQL, a process of its own: PGlite behind the wire protocol on a port the system picks. In
 * the service's process its WebAssembly would be most of every CPU profile and half of the memory. It lives in
 * memory and has nothing to save; the directories for the cached dump are its arguments.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { PGlite } from '@electric-sql/pglite'
import { auto_explain } from '@electric-sql/pglite/contrib/auto_explain'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { watchParent } from '../watch-parent.ts'
import { dumpCacheKey, readDump, writeDump } from './dump-cache.ts'
import { ensureSeeded } from './seed-database.ts'

export type ServerMessage =
  | { type: 'progress'; step: string }
  | { type: 'ready'; port: number }
  | { type: 'failed'; reason: string }

/** A pool of one, and the connection that replaces it while the broken one is not yet taken apart. */
const MAX_CONNECTIONS = 3
/** The default of 128 MB would be allocated at once; all our tables take 20 MB. */
const START_PARAMETERS = [...PGlite.defaultStartParams, '-c', 'shared_buffers=8MB']
/** The default keeps two segments of 16 MB, which are a third of the dump. */
const INITDB_PARAMETERS = ['--wal-segsize=1']
/** Tells a window the plans of its statements. */
const EXTENSIONS = { auto_explain }

const [parentPid, ...cacheDirectories] = process.argv.slice(2)

// Without its parent nobody needs it, however the parent ended; inside a statement only the watchdog notices.
process.on('disconnect', () => process.exit())
if (!process.connected) process.exit()
await watchParent(Number(parentPid))
// Ctrl-C reaches the whole process group: the parent still has requests to finish, and ends us when it has.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

try {
  const database = await openSeeded()
  collectGarbage()
  send({ type: 'ready', port: await listen(database) })
} catch (error) {
  send({ type: 'failed', reason: error instanceof Error ? error.message : String(error) })
  process.disconnect()
}

async function openSeeded(): Promise<PGlite> {
  const key = dumpCacheKey()
  const dump = await readDump(cacheDirectories, key)
  if (dump) {
    try {
      return await PGlite.create({ loadDataDir: dump, startParams: START_PARAMETERS, extensions: EXTENSIONS })
    } catch {
      reportProgress('the cached database cannot be read')
    }
  }
  return seedAndDump(key)
}

async function seedAndDump(key: string): Promise<PGlite> {
  reportProgress('creating the embedded database (the first start only)')
  const database = await PGlite.create({
    startParams: START_PARAMETERS,
    initDbStartParams: INITDB_PARAMETERS,
    extensions: EXTENSIONS
  })
  await ensureSeeded(database, reportProgress)
  await database.exec('CHECKPOINT')
  const path = await writeDump(cacheDirectories, key, await database.dumpDataDir('none'))
  if (!path) reportProgress('no directory to keep it in can be written: the next start seeds again')
  return database
}

/** The dump's copies, some 170 MB, would stay until a collection, and a process that allocates little has none. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

async function listen(database: PGlite): Promise<number> {
  const server = new PGLiteSocketServer({ db: database, port: 0, maxConnections: MAX_CONNECTIONS })
  await server.start()
  return Number(new URL(`tcp://${server.getServerConn()}`).port)
}

function reportProgress(step: string): void {
  send({ type: 'progress', step })
}

/** Without a callback, a parent that has just gone would be an uncaught error here. */
function send(message: ServerMessage): void {
  process.send?.(message, undefined, undefined, () => {})
}
