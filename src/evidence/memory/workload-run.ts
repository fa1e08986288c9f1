/** Runs a workload's iterations, numbered from 0 through all phases of a check. */
import { performance } from 'node:perf_hooks'

/** A module that can be checked. */
export interface Workload {
  /** Called once before the first iteration, with what the caller of the check passes along. */
  prepare?(input: unknown): unknown
  /** One unit of work, like a request; `i` is different each time. */
  iterate(i: number): unknown
}

export interface WorkloadRun {
  /** Iterations run so far. */
  readonly done: number
  /** Runs at most `count`, fewer where `budgetMs` is used up before. @returns how many it ran */
  run(count: number, budgetMs: number): Promise<number>
}

export function createWorkloadRun(workload: Workload, onProgress: (done: number) => void): WorkloadRun {
  let done = 0

  async function run(count: number, budgetMs: number): Promise<number> {
    const endMs = performance.now() + budgetMs
    let ran = 0
    while (ran < count && (ran === 0 || performance.now() < endMs)) {
      await workload.iterate(done)
      done += 1
      ran += 1
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
