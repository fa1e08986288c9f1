/** Runs a workload's iterations, numbered from 0 through all phases of a check. */
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { readAllocatedBytes } from '../span-growth.ts'

/** A module that can be checked. */
export interface Workload {
  /** Called once before the first iteration, with what the caller of the check passes along. */
  prepare?(input: unknown): unknown
  /** One unit of work, like a request; `i` is different each time. */
  iterate(i: number): unknown
}

export interface RunLimits {
  budgetMs: number
  /** Growth of the heap and of what is outside it, garbage included; none by default. */
  growthBytes?: number
}

export interface WorkloadRun {
  /** Iterations run so far. */
  readonly done: number
  /**
   * Runs at most `count`, fewer where a limit is reached before, but one at least.
   * @param noteTime gets what each iteration took, by the budget's clock
   * @returns how many it ran
   */
  run(count: number, limits: RunLimits, noteTime?: (iterationMs: number) => void): Promise<number>
}

/** How many times longer than its CPU time the work may take on a busy machine, or while it waits. */
const MAX_SLOWDOWN = 6

/** Taken now: a check sets the clock forward for the workload. */
const readWallMs = performance.now.bind(performance)

/** Time for budgets: this thread's CPU, so that a verdict does not depend on what else the machine does. */
export function readBudgetClockMs(): number {
  const { user, system } = process.threadCpuUsage()
  return Math.max((user + system) / 1000, readWallMs() / MAX_SLOWDOWN)
}

export function createWorkloadRun(workload: Workload, onProgress: (done: number) => void): WorkloadRun {
  let done = 0

  async function run(
    count: number,
    { budgetMs, growthBytes = Number.POSITIVE_INFINITY }: RunLimits,
    noteTime = (_iterationMs: number) => {}
  ): Promise<number> {
    let nowMs = readBudgetClockMs()
    const endMs = nowMs + budgetMs
    const mostBytes = readAllocatedBytes() + growthBytes
    let ran = 0
    while (ran < count && (ran === 0 || (nowMs < endMs && readAllocatedBytes() < mostBytes))) {
      await workload.iterate(done)
      done += 1
      ran += 1
      const startedAtMs = nowMs
      nowMs = readBudgetClockMs()
      noteTime(nowMs - startedAtMs)
    }
    onProgress(done)
    return ran
  }

  return {
    get done() {
      return done
    },
    run
  }
}
