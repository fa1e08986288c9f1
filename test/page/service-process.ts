/** The service as its own process, as `npm start` runs it, on a free port. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

const ROOT_DIR = path.resolve(import.meta.dirname, '../..')

/**
 * @param env settings on top of this process's own
 * @throws Error with what the process said when it ends before it listens
 */
export async function startServiceProcess(env: Record<string, string> = {}) {
  const child = spawn(
    process.execPath,
    ['--import', './src/check-node.mjs', '--import', './src/telemetry/start.ts', 'src/server.ts'],
    {
      cwd: ROOT_DIR,
      env: { ...process.env, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    }
  )
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk).slice(-4000)
  })
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])])
  if (message === undefined) throw new Error(`the service did not start:\n${errors.trim()}`)
  return {
    url: (message as { url: string }).url,
    async stop(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  }
}
