import { type ChildProcess, fork } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import type { SimulatorReady, SimulatorSettings } from './simulator-child.ts'

export interface SimulatedModelOptions {
  /** What the model's wait of 1.5 ms a prompt token is multiplied by; 0 for none. */
  latencyScale: number
  /** Where its spans go, without `/v1/traces`; unset: it makes none. */
  otlpEndpoint?: string | undefined
  /** Told when the process died and is started again. */
  warn?: (message: string) => void
}

export interface SimulatedModel {
  /** The address before `/chat/completions`; stays the same when the process is started again. */
  readonly baseUrl: string
  readonly pid: number | undefined
  close(): Promise<void>
}

const FIRST_RESTART_DELAY_MS = 100
const MAX_RESTART_DELAY_MS = 5000

/** A process that lived this long did not die of its start: the next delay is the first one again. */
const STABLE_MS = 10_000

/** Past the child's own time to send its last spans. */
const CLOSE_TIMEOUT_MS = 5000

/**
 * Starts the simulated model in a process of its own and keeps it running.
 * @throws Error when the process ends before it listens
 */
export async function startSimulatedModel(options: SimulatedModelOptions): Promise<SimulatedModel> {
  const closing = new AbortController()
  let child: ChildProcess
  const port = await start(0)
  const supervision = supervise()

  async function start(wantedPort: number): Promise<number> {
    child = forkChild()
    return await untilListening(child, { ...options, port: wantedPort })
  }

  async function supervise(): Promise<void> {
    let delayMs = FIRST_RESTART_DELAY_MS
    while (true) {
      const startMs = performance.now()
      const reason = await untilExit(child)
      if (performance.now() - startMs > STABLE_MS) delayMs = FIRST_RESTART_DELAY_MS
      if (!closing.signal.aborted) options.warn?.(`the simulated model died: ${reason}`)
      await wait(delayMs, undefined, { signal: closing.signal, ref: false }).catch(() => {})
      if (closing.signal.aborted) return
      delayMs = Math.min(delayMs * 2, MAX_RESTART_DELAY_MS)
      await start(port).catch(() => {})
    }
  }

  async function close(): Promise<void> {
    closing.abort()
    if (child.connected) child.disconnect()
    const deadline = setTimeout(() => child.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
    await supervision
    clearTimeout(deadline)
  }

  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    get pid() {
      return child.pid
    },
    close
  }
}

/** Nothing of ours passes to the child: neither --import hooks and inspector flags nor the environment. */
function forkChild(): ChildProcess {
  return fork(new URL('./simulator-child.ts', import.meta.url), {
    execArgv: [],
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
}

function untilListening(child: ChildProcess, settings: SimulatorSettings): Promise<number> {
  const { port, latencyScale, otlpEndpoint } = settings
  child.send({ port, latencyScale, otlpEndpoint } satisfies SimulatorSettings)
  return new Promise((resolve, reject) => {
    child.once('message', (ready: SimulatorReady) => resolve(ready.port))
    child.on('error', reject)
    void untilExit(child).then((reason) => reject(new Error(`the simulated model did not start: ${reason}`)))
  })
}

async function untilExit(child: ChildProcess): Promise<string> {
  const isRunning = child.pid !== undefined && child.exitCode === null && child.signalCode === null
  if (isRunning) await new Promise((resolve) => child.once('exit', resolve))
  return child.signalCode ?? `exit code ${child.exitCode}`
}
