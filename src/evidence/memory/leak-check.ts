/** Checks a workload for leaks in a process of its own, which is killed when it takes too long or too much. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import os from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import type { LeakCheckJob, LeakCheckMessage } from './leak-check-child.ts'
import { type LeakFindings, NOTHING_NAMED } from './leak-findings.ts'
import type { LeakReport } from './leak-report.ts'
import { BYTES_PER_MB } from './megabytes.ts'
import { readRssBytes } from './process-memory.ts'

export interface LeakCheckOptions {
  iterations: number
  /** URL of the module that exports `iterate`. */
  workloadUrl: string
  /** Gets what the module's `prepare` is given, anything the structured clone algorithm takes, while the child starts. */
  getInput?: () => Promise<unknown>
  /** The repository whose lines are named. */
  rootDir: string
  /** What the answer says was judged. */
  judged: string
  timeLimitMs?: number
  memoryLimitBytes?: number
  /** Ends the check, as when the service closes. */
  signal?: AbortSignal | undefined
}

const CHILD = new URL('./leak-check-child.ts', import.meta.url)
const TIME_LIMIT_MS = 60_000
const HEAP_LIMIT_MB = 384
/**
 * V8 finds an object's number by its address, and hears of an object only when it moves. One that is made or promoted
 * in place, where a dead one was, would have the dead one's number, and so its age: of a list, all that lies behind it
 * would seem to be held by what was there before.
 */
const EXACT_NUMBERS = ['--no-allocation-site-pretenuring', '--no-page-promotion']
/**
 * A compiler's thread holds on to what it compiles for, as long as it is at it: the snapshot before, 12 MB of it, or
 * its own tables. Without such threads what is in use at a boundary is what the program uses.
 */
const NO_COMPILER_THREADS = ['--no-concurrent-recompilation', '--no-concurrent-sparkplug']
/** In what Node starts from, no line can be watched: which one of ours made a list of Node's grow could not be told. */
const WATCHABLE_NODE = '--no-node-snapshot'
/** The heap's limit does not bound Buffers, nor what V8 keeps about the heap while it is watched. */
const MEMORY_LIMIT_BYTES = 768 * BYTES_PER_MB
const WATCH_EVERY_MS = 50
/** Live requests come first, but with 10 a check starved beside two busy processes: 36 s instead of 4. */
const NICENESS = 5

interface Outcome {
  findings?: LeakFindings
  /** Why there are no findings. */
  reason: string
}

/**
 * A workload that hangs, crashes or is killed is `inconclusive`.
 * @throws what `getInput` does, and nothing for what the workload does
 */
export async function checkForLeaks(options: LeakCheckOptions): Promise<LeakReport> {
  const startedAt = performance.now()
  const watched = watchChild(forkChild(options.rootDir), options)
  const { findings, reason } = await watched.outcome
  const { cpu_ms = 0, ...concluded } = findings ?? inconclusive(reason, watched.iterationsDone())
  return {
    iterations: options.iterations,
    ...concluded,
    judged: options.judged,
    cost: {
      duration_ms: Math.round(performance.now() - startedAt),
      cpu_ms,
      peak_rss_mb: Math.round(watched.peakRssBytes() / BYTES_PER_MB)
    }
  }
}

/** None of our own arguments and environment go with it: an inherited `--import` would start tracing there as well. */
function forkChild(rootDir: string): ChildProcess {
  const child = fork(CHILD, [String(process.pid)], {
    execArgv: [
      `--max-old-space-size=${HEAP_LIMIT_MB}`,
      ...EXACT_NUMBERS,
      ...NO_COMPILER_THREADS,
      WATCHABLE_NODE
    ],
    // Compiled code from the check before saves a twentieth of the time; where nothing can be written there is none.
    env: { NODE_COMPILE_CACHE: path.join(rootDir, '.cache/compiled') },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc']
  })
  if (child.pid !== undefined) os.setPriority(child.pid, NICENESS)
  return child
}

function watchChild(child: ChildProcess, options: LeakCheckOptions) {
  const { timeLimitMs = TIME_LIMIT_MS, memoryLimitBytes = MEMORY_LIMIT_BYTES, signal } = options
  let outcome: Outcome | undefined
  let iterationsDone = 0
  let peakRssBytes = 0

  function kill(reason: string): void {
    outcome ??= { reason }
    child.kill('SIGKILL')
  }

  function receive(message: LeakCheckMessage): void {
    if (message.type === 'progress') iterationsDone = message.done
    else if (message.type === 'findings') outcome = { findings: message.findings, reason: '' }
    else outcome = { reason: message.reason }
  }

  async function watchMemory(): Promise<void> {
    const rssBytes = child.pid === undefined ? undefined : await readRssBytes(child.pid)
    peakRssBytes = Math.max(peakRssBytes, rssBytes ?? 0)
    if (peakRssBytes > memoryLimitBytes) {
      kill(`it took more than ${Math.round(memoryLimitBytes / BYTES_PER_MB)} MB of memory and was killed`)
    }
  }

  async function run(): Promise<Outcome> {
    const deadline = setTimeout(
      () => kill(`it did not end within ${timeLimitMs / 1000} s and was killed`),
      timeLimitMs
    )
    const watch = setInterval(() => void watchMemory(), WATCH_EVERY_MS)
    const abort = () => kill('it was called off')
    signal?.addEventListener('abort', abort, { once: true })
    const exited = once(child, 'exit').catch((error: Error) => [null, error.message])
    child.on('message', receive)
    try {
      await sendJob(child, options)
      const [exitCode, killedBy] = await exited
      return outcome ?? { reason: `its process died (${killedBy ?? `exit code ${exitCode}`})` }
    } finally {
      clearTimeout(deadline)
      clearInterval(watch)
      signal?.removeEventListener('abort', abort)
      // Without a job it would wait for one.
      child.kill('SIGKILL')
    }
  }

  return { outcome: run(), iterationsDone: () => iterationsDone, peakRssBytes: () => peakRssBytes }
}

async function sendJob(
  child: ChildProcess,
  { iterations, workloadUrl, rootDir, getInput }: LeakCheckOptions
): Promise<void> {
  const job: LeakCheckJob = { iterations, workloadUrl, rootDir, input: await getInput?.() }
  // What it can't be told for its death, its exit tells.
  child.send(job, () => {})
}

function inconclusive(reason: string, iterationsRun: number): LeakFindings {
  return {
    iterations_run: iterationsRun,
    final_growth_mb: 0,
    average_growth_per_iteration_mb: 0,
    leak_detected: false,
    verdict: 'inconclusive',
    reason,
    ...NOTHING_NAMED,
    history_mb: [],
    cpu_ms: 0
  }
}
