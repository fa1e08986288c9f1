/** Runs a workload cohort by cohort, each bounded by CPU time and by memory, with a boundary after it. */
import process from 'node:process'
import { sum } from '../tally.ts'
import { type HeapInspector, openHeapInspector } from './heap-inspector.ts'
import { BYTES_PER_MB } from './megabytes.ts'
import { createWorkloadRun, readBudgetClockMs, type Workload, type WorkloadRun } from './workload-run.ts'

/** Enough for V8 to have compiled what the workload runs, and for its lazy initialization. */
const WARM_UP_ITERATIONS = 64
const WARM_UP_LIMITS = { budgetMs: 150, growthBytes: 48 * BYTES_PER_MB }

const FIRST_COHORTS = 6
/** So many a cohort as fit in this, within what tells a leak at every tenth iteration and what the looks can bear. */
const COHORT_MS = 80
const MIN_COHORT_COUNT = 25
const MAX_COHORT_COUNT = 200
/** Garbage counts as growth, and V8's young generation takes up to 16 MB before it collects any. */
const FIRST_LIMITS = { budgetMs: 250, growthBytes: 24 * BYTES_PER_MB }

/** The second look needs this many times the iterations of the first, to tell a constant from growth. */
const SECOND_LOOK_FACTOR = 3
const SECOND_LOOK_LIMITS = { budgetMs: 700, growthBytes: 64 * BYTES_PER_MB }

const LAST_LIMITS = { budgetMs: 5_000, growthBytes: 64 * BYTES_PER_MB }

/** A cache of 10,000 entries is full after it. */
const MAX_PLATEAU_ITERATIONS = 20_000
const PLATEAU_BUDGET_MS = 900
/** So much more memory is no cache still filling, or one too large to wait for. */
const MAX_GROWTH_BYTES = 48 * BYTES_PER_MB
/** Shared memory counts neither as heap nor as external. */
const MAX_RSS_GROWTH_BYTES = 128 * BYTES_PER_MB

/** The run so far, cohort by cohort. */
export interface CohortRun {
  readonly run: WorkloadRun
  readonly heap: HeapInspector
  /** What an iteration took while it warmed up, the median. */
  readonly iterationMs: number
  readonly boundaries: number[]
  readonly cohortIterations: number[]
  /** Bytes in use at each boundary. */
  readonly history: number[]
}

export async function warmUp(workload: Workload, onProgress: (done: number) => void): Promise<CohortRun> {
  const run = createWorkloadRun(workload, onProgress)
  const heap = openHeapInspector()
  const timesMs: number[] = []
  await run.run(WARM_UP_ITERATIONS, WARM_UP_LIMITS, (timeMs) => timesMs.push(timeMs))
  // Not the mean: one iteration that a busy machine holds up would make the cohorts too small to see what begins late.
  const iterationMs = timesMs.sort((a, b) => a - b)[timesMs.length >> 1] ?? 0
  await heap.collectEverything()
  const boundaries = [heap.markBoundary()]
  return { run, heap, iterationMs, boundaries, cohortIterations: [], history: [readUsedBytes()] }
}

/** The cohorts of the first look, with `iterations` at least where the limits allow. */
export async function runFirstCohorts(cohorts: CohortRun, iterations: number): Promise<void> {
  const fitting = Math.min(COHORT_MS / cohorts.iterationMs, MAX_COHORT_COUNT)
  const count = Math.ceil(Math.max(fitting, MIN_COHORT_COUNT, iterations / FIRST_COHORTS))
  for (let cohort = 0; cohort < FIRST_COHORTS; cohort++) await runCohort(cohorts, count, FIRST_LIMITS)
}

/** One large cohort. It and those after it first collect what the look before left: as garbage it would count as growth. */
export async function runSecondLook(cohorts: CohortRun): Promise<void> {
  await cohorts.heap.collectEverything()
  await runCohort(cohorts, cohorts.run.done * SECOND_LOOK_FACTOR, SECOND_LOOK_LIMITS)
}

/** Cohorts that double, until one of the limits is reached. */
export async function runPlateau(cohorts: CohortRun): Promise<void> {
  const { run, heap, history } = cohorts
  await heap.collectEverything()
  const endMs = readBudgetClockMs() + PLATEAU_BUDGET_MS
  const firstBytes = history[0] ?? 0
  const lastIteration = run.done + MAX_PLATEAU_ITERATIONS
  const mostRssBytes = process.memoryUsage.rss() + MAX_RSS_GROWTH_BYTES
  while (
    run.done < lastIteration &&
    readBudgetClockMs() < endMs &&
    process.memoryUsage.rss() < mostRssBytes
  ) {
    const grownBytes = (history.at(-1) ?? 0) - firstBytes
    const perIteration = Math.max(grownBytes / sum(cohorts.cohortIterations), 1)
    const affordable = Math.floor((MAX_GROWTH_BYTES - grownBytes) / perIteration)
    const count = Math.min(run.done, lastIteration - run.done, affordable)
    if (count < 1) return
    await runCohort(cohorts, count, { ...SECOND_LOOK_LIMITS, budgetMs: endMs - readBudgetClockMs() })
  }
}

/** One cohort, up to so many iterations in all: for a workload so slow that the other limits left it with few. */
export async function runUntil(cohorts: CohortRun, iterations: number): Promise<void> {
  const missing = iterations - cohorts.run.done
  if (missing <= 0) return
  await cohorts.heap.collectEverything()
  await runCohort(cohorts, missing, LAST_LIMITS)
}

async function runCohort(
  cohorts: CohortRun,
  count: number,
  limits: { budgetMs: number; growthBytes: number }
): Promise<void> {
  cohorts.cohortIterations.push(await cohorts.run.run(count, limits))
  cohorts.boundaries.push(cohorts.heap.markBoundary())
  cohorts.history.push(readUsedBytes())
}

/** @returns bytes on the heap and outside it, garbage included */
export function readUsedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
