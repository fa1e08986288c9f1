/** How the process ends: after a signal, or after an error that nobody caught. */
import process from 'node:process'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Telemetry } from './telemetry/telemetry.ts'

/** A query with every fault on takes some 4 s, and longer when it waits for others. */
const GRACE_MS = 15_000
const IDLE_SWEEP_MS = 100

/** Ctrl-C reaches this process twice, from the terminal and from npm: that is one wish, not two. */
const SAME_WISH_MS = 500

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 }

type Closable = Pick<FastifyInstance, 'close' | 'server' | 'drain'>

/**
 * The first SIGINT or SIGTERM lets running requests finish, closes everything and exits with 0; the second
 * exits at once.
 * @param closers run together after the server is closed: a backend that does not answer takes each of them its
 *   whole time; none may keep the others from running
 */
export function closeOnSignals(
  logger: FastifyBaseLogger,
  app: Closable,
  closers: (() => Promise<unknown>)[]
): void {
  let firstSignalAtMs: number | undefined

  function onSignal(signal: 'SIGINT' | 'SIGTERM'): void {
    if (firstSignalAtMs === undefined) {
      firstSignalAtMs = Date.now()
      logger.info({ signal }, 'closing; a second signal exits at once')
      void closeAll(logger, app, closers).then((exitCode) => process.exit(exitCode))
    } else if (Date.now() - firstSignalAtMs > SAME_WISH_MS) {
      process.exit(EXIT_CODES[signal])
    }
  }

  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}

async function closeAll(
  logger: FastifyBaseLogger,
  app: Closable,
  closers: (() => Promise<unknown>)[]
): Promise<number> {
  let exitCode = 0

  async function tryTo(close: () => Promise<unknown>): Promise<void> {
    try {
      await close()
    } catch (error) {
      exitCode = 1
      logger.error({ err: error }, 'closing failed')
    }
  }

  await tryTo(() => closeServer(logger, app))
  await Promise.all(closers.map(tryTo))
  logger.info('closed')
  return exitCode
}

async function closeServer(logger: FastifyBaseLogger, app: Closable): Promise<void> {
  app.drain.begin()
  const unanswered = await app.drain.untilAnswered(GRACE_MS)
  if (unanswered > 0) {
    logger.warn({ unanswered }, `requests still run after ${GRACE_MS} ms and are cut off`)
    app.server.closeAllConnections()
  }
  await app.drain.stopListening()
  const sweep = setInterval(app.drain.closeUnused, IDLE_SWEEP_MS)
  await app.close()
  clearInterval(sweep)
}

/** After an error that nobody caught the state is unknown: say what it was, send the spans, and end. */
export function exitOnCrash(logger: FastifyBaseLogger, telemetry: Telemetry): void {
  function crash(error: unknown, origin: string): void {
    logger.fatal({ err: error, origin }, 'the process ends because of an error that nobody caught')
    void telemetry.shutdown().finally(() => process.exit(1))
  }
  // An unhandled rejection arrives here too, with its origin.
  process.on('uncaughtException', crash)
}
