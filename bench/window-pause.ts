/**
 * How long a diagnosis holds the service's main thread up in one go, seen from two sides:
 * - `stepMs`: what the window itself measures of its longest step (`window.pause_ms`), under sample queries;
 * - `loopDelayMs`: the longest delay of the event loop during a window, under requests that cost next to nothing,
 *   beside that of as long a time without a window, since timers and collections of garbage hold it up as well.
 *
 * `node bench/window-pause.ts [windows]` prints medians and spread as JSON; a bench can import `measureWindowPauses`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { sendSampleQueries } from '../src/cli/traffic.ts'
import { ASK_LOOP_DELAY } from './loop-delay-meter.ts'

export interface WindowPauses {
  /** One value a window, in ms. */
  stepMs: number[]
  loopDelayMs: number[]
  /** Without a window. */
  restLoopDelayMs: number[]
}

const ROOT_DIR = path.resolve(import.meta.dirname, '..')
const WINDOW_SECONDS = 2
/** Sample queries a second: a third of a core. */
const QUERY_RATE = 15
const LIGHT_REQUEST_EVERY_MS = 20
/** Optimized code and a warm database; and the profile has let go of the start. */
const WARM_UP_MS = 6_000

/** Starts a healthy service, measures `windows` windows of each kind, and ends it. */
export async function measureWindowPauses(windows: number): Promise<WindowPauses> {
  const service = await startService()
  try {
    await underQueries(service.url, () => delay(WARM_UP_MS))
    const stepMs: number[] = []
    await underQueries(service.url, async () => {
      for (let i = 0; i < windows; i++) stepMs.push(await runWindow(service.url))
    })
    const loopDelayMs: number[] = []
    const restLoopDelayMs: number[] = []
    for (let i = 0; i < windows; i++) {
      restLoopDelayMs.push(await measureLoop(service, () => delay(WINDOW_SECONDS * 1000)))
      loopDelayMs.push(await measureLoop(service, () => runWindow(service.url)))
    }
    return { stepMs, loopDelayMs, restLoopDelayMs }
  } finally {
    service.child.kill('SIGTERM')
    await once(service.child, 'exit')
  }
}

async function startService(): Promise<{ url: string; child: ChildProcess }> {
  const preloads = ['bench/loop-delay-meter.ts', 'src/telemetry/start.ts']
  const child = spawn(
    process.execPath,
    [...preloads.flatMap((each) => ['--import', path.join(ROOT_DIR, each)]), 'src/server.ts'],
    {
      cwd: ROOT_DIR,
      env: {
        // biome-ignore lint/style/noProcessEnv: none of the shell's other settings may reach what is measured
        PATH: process.env.PATH,
        PORT: '0',
        LOG_LEVEL: 'warn',
        FAULTS: 'none',
        SIMULATED_LATENCY_SCALE: '0',
        HIGH_TRAFFIC_REQUESTS_PER_HOUR: '1000000000'
      },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc']
    }
  )
  const [message] = await once(child, 'message')
  return { url: (message as { url: string }).url, child }
}

async function underQueries(url: string, fn: () => Promise<void>): Promise<void> {
  const traffic = new AbortController()
  const sent = sendSampleQueries({ url, concurrency: 4, rate: QUERY_RATE, signal: traffic.signal })
  await fn().finally(() => traffic.abort())
  await sent
}

/** @returns the longest step of a window over the traffic that there is, in ms */
async function runWindow(url: string): Promise<number> {
  const response = await fetch(`${url}/diagnosis`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ seconds: WINDOW_SECONDS })
  })
  if (!response.ok) throw new Error(`POST /diagnosis: ${response.status} ${await response.text()}`)
  return ((await response.json()) as { window: { pause_ms: number } }).window.pause_ms
}

/** @returns the longest delay of the service's event loop while `fn` runs and light requests come in, in ms */
async function measureLoop(
  service: { url: string; child: ChildProcess },
  fn: () => Promise<unknown>
): Promise<number> {
  await readLoopDelay(service.child)
  // Traced, and over in no time.
  const requests = setInterval(
    () => fetch(`${service.url}/faults`).then((response) => response.arrayBuffer()),
    LIGHT_REQUEST_EVERY_MS
  )
  await fn().finally(() => clearInterval(requests))
  return readLoopDelay(service.child)
}

async function readLoopDelay(child: ChildProcess): Promise<number> {
  child.send(ASK_LOOP_DELAY)
  const [message] = await once(child, 'message')
  return (message as { loopDelayMs: number }).loopDelayMs
}

function summarize(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN).toFixed(1)
  return `median ${at(0.5)}, ${at(0)} to ${at(1)}, 9 in 10 below ${at(0.9)}`
}

if (import.meta.main) {
  const pauses = await measureWindowPauses(Number(process.argv[2] ?? 20))
  const lines = Object.entries(pauses).map(([name, values]) => `${name}: ${summarize(values)}`)
  process.stdout.write(`${lines.join('\n')}\n`)
}
