/** The leak check itself: looks at the heap for the verdict, then the variable, the line and the proof. */
import type { SourceTree } from '../source-tree.ts'
import { type HoldingVerdict, isSuspect, judge, type Look, sum, totalBytes } from './cohorts.ts'
import { type HeapInspector, openHeapInspector } from './heap-inspector.ts'
import { type HeldBy, nameHolder } from './held-by.ts'
import { findHoldings, type Holding } from './holdings.ts'
import { findInsertion, proveByClearing } from './leak-location.ts'
import { type LeakFindings, NOTHING_NAMED } from './leak-report.ts'
import { toMb } from './megabytes.ts'
import { indexRetainers } from './retainer-index.ts'
import { createWorkloadRun, readBudgetClockMs, type Workload, type WorkloadRun } from './workload-run.ts'

/** Enough for V8 to have compiled what the workload runs, and for its lazy initialization. */
const WARM_UP_ITERATIONS = 64
const WARM_UP_BUDGET_MS = 700

const FIRST_COHORTS = 6
/** 11 iterations a cohort, so that a leak at every tenth iteration has survivors in most of them. */
const MIN_FIRST_ITERATIONS = 64
const MIN_COHORT_ITERATIONS = 2
const FIRST_BUDGET_MS = 1500

/** The second look needs this many times the iterations of the first, to tell a constant from growth. */
const SECOND_LOOK_FACTOR = 3
/** A cache of 10,000 entries is full after it. */
const MAX_PLATEAU_ITERATIONS = 20_000
const SECOND_LOOK_BUDGET_MS = 1500
const PLATEAU_BUDGET_MS = 1500
/** So much more memory is no cache still filling, or one too large to wait for. */
const MAX_GROWTH_BYTES = 32 * 1024 * 1024

const MAX_TYPES = 5

/** The run so far, cohort by cohort. */
interface CohortRun {
  readonly run: WorkloadRun
  readonly heap: HeapInspector
  readonly boundaries: number[]
  readonly cohortIterations: number[]
  /** Bytes in use at each boundary. */
  readonly history: number[]
}

/** Runs and judges the workload. Everything else in the process counts as innocent. */
export async function checkWorkload(
  workload: Workload,
  iterations: number,
  sources: SourceTree,
  onProgress: (done: number) => void
): Promise<LeakFindings> {
  const cohorts = await warmUp(createWorkloadRun(workload, onProgress), openHeapInspector())
  const { run, cohortIterations } = cohorts
  const globalId = cohorts.heap.globalId()

  const perCohort = Math.ceil(Math.max(MIN_FIRST_ITERATIONS, iterations) / FIRST_COHORTS)
  for (let cohort = 0; cohort < FIRST_COHORTS; cohort++) {
    await runCohort(cohorts, perCohort, FIRST_BUDGET_MS / FIRST_COHORTS)
  }
  if (Math.min(...cohortIterations) < MIN_COHORT_ITERATIONS) {
    return conclude(
      cohorts,
      'inconclusive',
      `an iteration takes too long: only ${run.done} ran in the time there is`
    )
  }
  const looks = [await look(cohorts, globalId, [])]
  const firstIterations = sum(cohortIterations)
  if (findSuspects(looks).length === 0) {
    return conclude(cohorts, 'clean', `nothing that ${firstIterations} iterations allocated is kept`)
  }

  // Most innocents are told after a few more iterations: the long run is for what still looks guilty.
  await runCohort(cohorts, run.done * SECOND_LOOK_FACTOR, SECOND_LOOK_BUDGET_MS)
  looks.push(await look(cohorts, globalId, looks))
  if (findGuilty(looks).length > 0) {
    await runPlateau(cohorts, readBudgetClockMs() + PLATEAU_BUDGET_MS)
    looks.push(await look(cohorts, globalId, looks))
  }
  const worst = findGuilty(looks)[0]
  if (!worst) {
    if (hasVerdict(looks, 'open')) {
      return conclude(cohorts, 'inconclusive', `${run.done} iterations can't tell whether what is kept grows`)
    }
    return hasVerdict(looks, 'bounded')
      ? conclude(cohorts, 'bounded', `what is kept has stopped growing after ${run.done} iterations`)
      : conclude(cohorts, 'clean', `nothing keeps growing over ${run.done} iterations`)
  }
  return {
    ...conclude(cohorts, 'leak', describeLeak(worst, run.done)),
    ...(await explain(worst, looks.at(-1)?.heldBy ?? null, cohorts, sources))
  }
}

async function warmUp(run: WorkloadRun, heap: HeapInspector): Promise<CohortRun> {
  await run.run(WARM_UP_ITERATIONS, WARM_UP_BUDGET_MS)
  await heap.collectEverything()
  const boundaries = [heap.markBoundary()]
  return { run, heap, boundaries, cohortIterations: [], history: [usedBytes()] }
}

async function runCohort(cohorts: CohortRun, count: number, budgetMs: number): Promise<void> {
  cohorts.cohortIterations.push(await cohorts.run.run(count, budgetMs))
  cohorts.boundaries.push(cohorts.heap.markBoundary())
  cohorts.history.push(usedBytes())
}

/** Cohorts that double, until one of the limits is reached. */
async function runPlateau(cohorts: CohortRun, endMs: number): Promise<void> {
  const { run, history } = cohorts
  const firstBytes = history[0] ?? 0
  const lastIteration = run.done + MAX_PLATEAU_ITERATIONS
  while (run.done < lastIteration && readBudgetClockMs() < endMs) {
    const grownBytes = (history.at(-1) ?? 0) - firstBytes
    const affordable = Math.floor(
      (MAX_GROWTH_BYTES - grownBytes) / Math.max(grownBytes / sum(cohorts.cohortIterations), 1)
    )
    const count = Math.min(run.done, lastIteration - run.done, affordable)
    if (count < 1) return
    await runCohort(cohorts, count, endMs - readBudgetClockMs())
  }
}

/** A look, and who holds what is worst by all looks up to it. */
interface NamedLook extends Look<Holding> {
  heldBy: HeldBy | null
}

/** Takes a snapshot and keeps plain data of it: a graph that stayed alive would count as growth. */
async function look(
  { heap, boundaries, cohortIterations, run }: CohortRun,
  globalId: number,
  earlier: readonly NamedLook[]
): Promise<NamedLook> {
  async function readSnapshot(): Promise<NamedLook> {
    const graph = await heap.takeSnapshot()
    const retainers = indexRetainers(graph)
    const holdings = findHoldings(graph, retainers, boundaries)
    const seen = { holdings, cohortIterations: [...cohortIterations], done: run.done, heldBy: null }
    const worst = findGuilty([...earlier, seen])[0]
    return worst ? { ...seen, heldBy: nameHolder(graph, retainers, worst, globalId) } : seen
  }

  const seen = await readSnapshot()
  await heap.collectEverything()
  return seen
}

function findSuspects([first]: Look<Holding>[]): string[] {
  if (!first) return []
  return [...first.holdings].flatMap(([key, holding]) => (isSuspect(holding, first) ? [key] : []))
}

/** What still looks like a leak after all looks so far, as the last one saw it, the largest first. */
function findGuilty(looks: Look<Holding>[]): Holding[] {
  return findSuspects(looks)
    .filter((key) => judge(key, looks) === 'leak')
    .flatMap((key) => looks.at(-1)?.holdings.get(key) ?? [])
    .sort((a, b) => totalBytes(b) - totalBytes(a))
}

function hasVerdict(looks: Look<Holding>[], verdict: HoldingVerdict): boolean {
  return findSuspects(looks).some((key) => judge(key, looks) === verdict)
}

function describeLeak({ counts }: Holding, done: number): string {
  return counts.filter((count) => count > 0).length > 1
    ? `over ${done} iterations old and new ones alike leave objects that stay`
    : `over ${done} iterations what is kept grows in proportion`
}

/** @returns what `conclude` can't know: the growth, its variable, its line, its types and the proof */
async function explain(
  holding: Holding,
  heldBy: HeldBy | null,
  { heap, run, cohortIterations }: CohortRun,
  sources: SourceTree
) {
  const bytesPerIteration = sum(holding.bytes) / sum(cohortIterations) + holding.storeBytes / run.done
  const location = await findInsertion(heap, sources, holding, heldBy, run)
  return {
    growth_bytes_per_iteration: Math.round(bytesPerIteration),
    retained_by: heldBy?.name ?? null,
    allocated_at: location ? `${sources.relativePath(location.file)}:${location.line}` : null,
    growing_types: listTypes(holding, sum(cohortIterations)),
    proof: await proveByClearing(heap, holding, heldBy, bytesPerIteration * run.done, usedBytes)
  }
}

function conclude(
  { run, history, cohortIterations }: CohortRun,
  verdict: LeakFindings['verdict'],
  reason: string
): LeakFindings {
  const growthBytes = Math.max((history.at(-1) ?? 0) - (history[0] ?? 0), 0)
  const { user, system } = process.cpuUsage()
  return {
    iterations_run: run.done,
    final_growth_mb: toMb(growthBytes),
    average_growth_per_iteration_mb: toMb(growthBytes / Math.max(sum(cohortIterations), 1)),
    leak_detected: verdict === 'leak',
    verdict,
    reason,
    ...NOTHING_NAMED,
    history_mb: history.map(toMb),
    cpu_ms: Math.round((user + system) / 1000)
  }
}

function listTypes({ types }: Holding, iterations: number): LeakFindings['growing_types'] {
  return [...types]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .slice(0, MAX_TYPES)
    .map(([type, { count, bytes }]) => ({
      type,
      count_per_iteration: Math.round((count / iterations) * 100) / 100,
      bytes_per_iteration: Math.round(bytes / iterations)
    }))
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
