/** The service a command talks to: one that runs, or one of its own for as long as the command takes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

export interface RunningService {
  url: string
  /** True when this command started it. */
  isOwn: boolean
  stop(): Promise<void>
}

export const ROOT_DIR = path.resolve(import.meta.dirname, '../..')

const HEALTH_TIMEOUT_MS = 2_000
/** Its own grace ends before this. */
const STOP_TIMEOUT_MS = 15_000

/**
 * @param url of a service that has to be there; without one, that of `defaultUrl` if it answers, else a new one
 * @throws Error that says what to do when the service can't be reached or started
 */
export async function findOrStartService(options: {
  url: string | undefined
  defaultUrl: string
  onProgress: (text: string) => void
}): Promise<RunningService> {
  if (options.url !== undefined) {
    if (await isServiceAt(options.url)) return { url: options.url, isOwn: false, stop: async () => {} }
    throw new Error(`No service answers at ${options.url}: start one with \`npm start\`, or leave --url out.`)
  }
  if (await isServiceAt(options.defaultUrl)) {
    return { url: options.defaultUrl, isOwn: false, stop: async () => {} }
  }
  options.onProgress('no service is running: starting one')
  return startService()
}

/** @returns `url`, if the service answers there; throws an Error that says what to do if not */
export async function findService(url: string): Promise<string> {
  if (await isServiceAt(url)) return url
  throw new Error(`No service answers at ${url}: start one with \`npm start\`, or name it with --url.`)
}

async function isServiceAt(url: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) })
    const health = (await response.json()) as { apm_configured?: unknown }
    return typeof health.apm_configured === 'boolean'
  } catch {
    return false
  }
}

async function startService(): Promise<RunningService> {
  const child = spawn(
    process.execPath,
    ['--import', './src/check-node.mjs', '--import', './src/telemetry/start.ts', 'src/server.ts'],
    {
      cwd: ROOT_DIR,
      // Any free port, and only warnings: its banner would drown this command's own output.
      // biome-ignore lint/style/noProcessEnv: the child is to have the settings that this command was given
      env: { ...process.env, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    }
  )
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk).slice(-4000)
  })
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])])
  if (message === undefined) throw new Error(`the service could not start:\n${errors.trim()}`)

  async function stop(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    child.kill('SIGTERM')
    await once(child, 'exit')
    clearTimeout(timer)
  }

  return { url: (message as { url: string }).url, isOwn: true, stop }
}
