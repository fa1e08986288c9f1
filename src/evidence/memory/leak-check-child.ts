/**
 * The process of one leak check. The parent sends a LeakCheckJob; the child answers with its findings or with why
 * there are none, and ends. It also ends when its parent lets go of it or dies, even in the midst of an endless loop.
 */
import { flushCompileCache } from 'node:module'
import process from 'node:process'
import { watchParent } from '../../watch-parent.ts'
import { checkWorkload } from './check-workload.ts'
import type { LeakFindings } from './leak-findings.ts'
import type { Workload } from './workload-run.ts'

export interface LeakCheckJob {
  /** URL of the module that exports `iterate`. */
  workloadUrl: string
  /** For the module's `prepare`. */
  input: unknown
  iterations: number
  /** The repository whose lines are named. */
  rootDir: string
}

export type LeakCheckMessage =
  | { type: 'progress'; done: number }
  | { type: 'findings'; findings: LeakFindings }
  | { type: 'failure'; reason: string }

// Ctrl-C reaches every process of the terminal; this one ends with its parent.
process.on('SIGINT', () => {})
process.once('disconnect', () => process.exit())
// Not waited for: the thread that watches needs nothing of this one, which a workload may never let go of.
void watchParent(Number(process.argv[2]))
process.once('message', (job: LeakCheckJob) => void runJob(job))

async function runJob(job: LeakCheckJob): Promise<void> {
  send(await concludeJob(job), endAtOnce)
}

/** `process.exit` waits for V8's threads, one of which may wait for a collection that never comes any more. */
function endAtOnce(): void {
  flushCompileCache()
  process.kill(process.pid, 'SIGKILL')
}

async function concludeJob({
  workloadUrl,
  input,
  iterations,
  rootDir
}: LeakCheckJob): Promise<LeakCheckMessage> {
  try {
    const workload = (await import(workloadUrl)) as Workload
    await workload.prepare?.(input)
    const findings = await checkWorkload(workload, iterations, rootDir, (done) =>
      send({ type: 'progress', done })
    )
    return { type: 'findings', findings }
  } catch (error) {
    return {
      type: 'failure',
      reason: `the workload failed: ${error instanceof Error ? error.message : error}`
    }
  }
}

function send(message: LeakCheckMessage, onSent = () => {}): void {
  process.send?.(message, undefined, {}, onSent)
}
