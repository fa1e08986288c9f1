/** The leak check itself: looks at the heap for the verdict, then the variable, the line and the proof. */
import process from 'node:process'
import { sum } from '../tally.ts'
import {
  type CohortRun,
  readUsedBytes,
  runFirstCohorts,
  runPlateau,
  runSecondLook,
  runUntil,
  warmUp
} from './cohort-run.ts'
import {
  ENOUGH_FACTOR,
  type HoldingVerdict,
  isSuspect,
  judge,
  keepsOnlyNewest,
  type Look,
  totalBytes
} from './cohorts.ts'
import { type HeldBy, nameHolder } from './held-by.ts'
import { findHoldings, type Holding } from './holdings.ts'
import { type LeakFindings, NOTHING_NAMED } from './leak-findings.ts'
import { toMb } from './megabytes.ts'
import { indexRetainers } from './retainer-index.ts'
import type { Workload } from './workload-run.ts'

const MIN_COHORT_ITERATIONS = 2
const MAX_TYPES = 5

/** Runs and judges the workload. Everything else in the process counts as innocent. */
export async function checkWorkload(
  workload: Workload,
  iterations: number,
  rootDir: string,
  onProgress: (done: number) => void
): Promise<LeakFindings> {
  const cohorts = await warmUp(workload, onProgress)
  const { run, cohortIterations } = cohorts

  await runFirstCohorts(cohorts, iterations)
  if (Math.min(...cohortIterations) < MIN_COHORT_ITERATIONS) {
    return conclude(
      cohorts,
      'inconclusive',
      `an iteration takes too long or too much: only ${run.done} ran within the limits`
    )
  }
  const looks = [await look(cohorts, [])]
  const firstIterations = sum(cohortIterations)
  if (findSuspects(looks).length === 0) {
    return looks[0] && keepsOnlyNewest(looks[0])
      ? conclude(cohorts, 'bounded', `of ${firstIterations} iterations only the newest are kept`)
      : conclude(cohorts, 'clean', `nothing that ${firstIterations} iterations allocated is kept`)
  }

  // Most innocents are told after a few more iterations: the long run is for what still looks guilty.
  await runSecondLook(cohorts)
  looks.push(await look(cohorts, looks))
  if (hasVerdict(looks, 'leak') || hasVerdict(looks, 'open')) {
    await runPlateau(cohorts)
    looks.push(await look(cohorts, looks))
  }
  if (hasVerdict(looks, 'open')) {
    await runUntil(cohorts, ENOUGH_FACTOR * (looks[0]?.done ?? 0))
    looks.push(await look(cohorts, looks))
  }
  const worst = findGuilty(looks)[0]
  if (worst) return explain(worst, looks.at(-1)?.heldBy ?? null, cohorts, rootDir)
  if (hasVerdict(looks, 'open')) {
    return conclude(cohorts, 'inconclusive', `${run.done} iterations can't tell whether what is kept grows`)
  }
  return hasVerdict(looks, 'bounded')
    ? conclude(cohorts, 'bounded', `what is kept has stopped growing after ${run.done} iterations`)
    : conclude(cohorts, 'clean', `nothing keeps growing over ${run.done} iterations`)
}

/** A look, and who holds what is worst by all looks up to it. */
interface NamedLook extends Look<Holding> {
  heldBy: HeldBy | null
}

/** Takes a snapshot and keeps plain data of it: its graph, alive, would count as growth. */
async function look(
  { heap, boundaries, cohortIterations, run, history }: CohortRun,
  earlier: readonly NamedLook[]
): Promise<NamedLook> {
  async function readSnapshot(): Promise<NamedLook> {
    const graph = await heap.takeSnapshot()
    const retainers = indexRetainers(graph)
    const holdings = findHoldings(graph, retainers, boundaries)
    const seen = {
      holdings,
      cohortIterations: [...cohortIterations],
      done: run.done,
      usedBytes: [...history],
      heldBy: null
    }
    const worst = findGuilty([...earlier, seen])[0]
    return worst ? { ...seen, heldBy: nameHolder(graph, retainers, worst, boundaries[0] ?? 0) } : seen
  }

  await heap.collectEverything()
  await heap.runFinalizers()
  return readSnapshot()
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

/** Names the variable, the line, the types and the proof, unless the growth has a limit that it keeps, or has not reached. */
async function explain(
  holding: Holding,
  heldBy: HeldBy | null,
  cohorts: CohortRun,
  rootDir: string
): Promise<LeakFindings> {
  const { heap, run, cohortIterations } = cohorts
  const bytesPerIteration = sum(holding.bytes) / sum(cohortIterations) + holding.storeBytes / run.done
  const growingTypes = listTypes(holding, sum(cohortIterations))
  // Only now: an innocent workload is not to wait for the parser of source text.
  const { createLeakLocator } = await import('./leak-location.ts')
  const locator = createLeakLocator(heap, rootDir, holding, heldBy, run)
  const limit = await locator.judgeByLimit()
  if (limit) return conclude(cohorts, limit.verdict, limit.reason)
  const leak = conclude(cohorts, 'leak', describeLeak(holding, run.done))
  const allocatedAt = await locator.findInsertion()
  return {
    ...leak,
    growth_bytes_per_iteration: Math.round(bytesPerIteration),
    retained_by: heldBy?.name ?? null,
    allocated_at: allocatedAt ?? null,
    growing_types: growingTypes,
    proof: await locator.proveByClearing(bytesPerIteration * run.done, readUsedBytes)
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
