/** The service as its own process, as `npm start` runs it, on a free port. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

const ROOT_DIR = path.resolve(import.meta.dirname, '../..')

/** @param env settings on top of this process's own */
export async function startServiceProcess(env: Record<string, string> = {}) {
  const child = spawn(
    process.execPath,
    ['--import', './src/check-node.mjs', '--import', './src/telemetry/start.ts', 'src/server.ts'],
    {
      cwd: ROOT_DIR,
      env: { ...process.env, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc']
    }
  )
  const [message] = await once(child, 'message')
  return {
    url: (message as { url: string }).url,
    async stop(): Promise<void> {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  }
}
