import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ServerMessage } from './embedded-server.ts'
import type { OnProgress } from './seed-database.ts'

const SERVER_PATH = fileURLToPath(new URL('embedded-server.ts', import.meta.url))

/**
 * Starts the embedded server's process. None of our own arguments and environment go with it: an inherited
 * `--import` or NODE_OPTIONS would start tracing and profiling there as well.
 */
export function forkServer(cacheDirectories: string[]): ChildProcess {
  return fork(SERVER_PATH, [String(process.pid), ...cacheDirectories], {
    execArgv: [],
    env: { NODE_OPTIONS: '' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
}

/** The port it listens on, once its database is seeded. Rejects when it ends before that. */
export function waitForPort(child: ChildProcess, onProgress: OnProgress): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('message', function receive(message: ServerMessage) {
      if (message.type === 'progress') onProgress(message.step)
      else if (message.type === 'ready') resolve(message.port)
      else reject(new Error(`The embedded PostgreSQL could not start: ${message.reason}`))
    })
    child.once('error', reject)
    child.once('exit', function failStart(code, signal) {
      reject(
        new Error(`The embedded PostgreSQL ended while it was starting (${signal ?? `exit code ${code}`})`)
      )
    })
  })
}

/** Ends it at once: it lives in memory and has nothing to save, and inside a long statement it hears nothing else. */
export async function killServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
