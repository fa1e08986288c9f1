/** The service as `npm start` runs it, with faults off and no simulated latency, in a process of its own. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Guarded } from './guardian.ts'
import { ASK_USAGE, type Usage } from './meter.ts'

export const ROOT_DIR = path.resolve(import.meta.dirname, '..')

/** The service's own grace ends before this. */
const STOP_TIMEOUT_MS = 15_000
const KEPT_ERROR_CHARACTERS = 4000

/** A healthy service, whatever the settings of the shell it is measured from. */
const HEALTHY_SETTINGS = {
  PORT: '0',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'warn',
  FAULTS: 'none',
  SIMULATED_LATENCY_SCALE: '0',
  // Out of reach, both: nothing lowers the sampling rate or stops the profiler in the middle of a run.
  HIGH_TRAFFIC_REQUESTS_PER_HOUR: '1000000000',
  DD_PROFILING_MAX_TIME_USAGE_PCT: '100'
}

/**
 * Where hash tables collide, and how far the young generation has grown, made two processes of the same service differ
 * by a tenth of a request's CPU time.
 */
const REPEATABLE = [
  '--hash-seed=1',
  '--random-seed=1',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16'
]

export interface ServiceProcess {
  url: string
  /** From its spawning to its first accepted connection. */
  startupMs: number
  readUsage(): Promise<Usage>
  /** What a preloaded meter answers to its question. */
  ask<T>(question: string): Promise<T>
  /** It does nothing until `resume`, so that what is measured meanwhile has the machine to itself. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

let guardian: ChildProcess | undefined

function tellGuardian(about: Guarded): void {
  if (guardian === undefined) {
    // Detached: an interrupt from the terminal must not end it before the rest.
    guardian = fork(path.join(import.meta.dirname, 'guardian.ts'), { detached: true, stdio: 'ignore' })
    guardian.unref()
    guardian.channel?.unref()
  }
  guardian.send(about)
}

/**
 * @param preloads modules to load before the service's own, absolute
 * @throws Error with what it wrote last when it could not start
 */
export async function startServiceProcess(
  settings: Record<string, string>,
  preloads: readonly string[] = []
): Promise<ServiceProcess> {
  const imports = [
    path.join(import.meta.dirname, 'meter.ts'),
    ...preloads,
    path.join(ROOT_DIR, 'src/telemetry/start.ts')
  ]
  const startedAt = performance.now()
  const child = spawn(
    process.execPath,
    [...REPEATABLE, ...imports.flatMap((each) => ['--import', each]), path.join(ROOT_DIR, 'src/server.ts')],
    {
      cwd: import.meta.dirname,
      // biome-ignore lint/style/noProcessEnv: none of the shell's other settings may reach what is measured
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...HEALTHY_SETTINGS, ...settings },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    }
  )
  const { pid } = child
  if (pid !== undefined) {
    tellGuardian({ pid, isRunning: true })
    child.once('exit', () => tellGuardian({ pid, isRunning: false }))
  }
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk).slice(-KEPT_ERROR_CHARACTERS)
  })
  const url = await Promise.race([
    once(child, 'message').then(([message]) => (message as { url: string }).url),
    once(child, 'exit').then(() => undefined)
  ])
  if (url === undefined) throw new Error(`The service could not start:\n${errors.trim()}`)
  const startupMs = performance.now() - startedAt

  async function ask<T>(question: string): Promise<T> {
    child.send(question)
    const [answer] = await once(child, 'message')
    return answer as T
  }

  async function readUsage(): Promise<Usage> {
    return (await ask<{ usage: Usage }>(ASK_USAGE)).usage
  }

  function pause(): void {
    child.kill('SIGSTOP')
  }

  function resume(): void {
    child.kill('SIGCONT')
  }

  async function stop(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    child.kill('SIGTERM')
    // A paused one would not hear the signal.
    resume()
    await once(child, 'exit')
    clearTimeout(timer)
  }

  return { url, startupMs, readUsage, ask, pause, resume, stop }
}
