/** The leak check itself: runs the workload and looks at the heap until the verdict stands. */
import { sum } from '../tally.ts'
import { type CohortRun, runFirstCohorts, runPlateau, runSecondLook, runUntil, warmUp } from './cohort-run.ts'
import {
  ENOUGH_FACTOR,
  type HoldingVerdict,
  isSuspect,
  judge,
  keepsOnlyNewest,
  type Look,
  totalBytes
} from './cohorts.ts'
import { conclude } from './conclude.ts'
import { type NamedLook, nameHolder } from './held-by.ts'
import { findHoldings, type Holding } from './holdings.ts'
import type { LeakFindings } from './leak-findings.ts'
import { indexRetainers } from './retainer-index.ts'
import type { Workload } from './workload-run.ts'

const MIN_COHORT_ITERATIONS = 2
/** Of what is held for different reasons: each takes a second or more to look into. */
const MAX_EXPLAINED = 3

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
  const last = looks.at(-1)
  const guilty = findGuilty(looks).slice(0, MAX_EXPLAINED)
  if (last && guilty.length > 0) {
    // Only now: an innocent workload is not to wait for the parser of source text.
    const { explainWorst } = await import('./leak-explanation.ts')
    return explainWorst(guilty, last, cohorts, rootDir, () => lookOnceMore(cohorts))
  }
  if (hasVerdict(looks, 'open')) {
    return conclude(cohorts, 'inconclusive', `${run.done} iterations can't tell whether what is kept grows`)
  }
  return hasVerdict(looks, 'bounded')
    ? conclude(cohorts, 'bounded', `what is kept has stopped growing after ${run.done} iterations`)
    : conclude(cohorts, 'clean', `nothing keeps growing over ${run.done} iterations`)
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
      usedBytes: [...history]
    }
    const worst = findGuilty([...earlier, seen]).slice(0, MAX_EXPLAINED)
    return {
      ...seen,
      heldBy: new Map(worst.map((each) => [each, nameHolder(graph, retainers, each, boundaries[0] ?? 0)]))
    }
  }

  await heap.collectEverything()
  await heap.runFinalizers()
  return readSnapshot()
}

/** @returns what is held now, what came since the last cohort included */
function lookOnceMore(cohorts: CohortRun): Promise<Look<Holding>> {
  const boundaries = [...cohorts.boundaries, cohorts.heap.markBoundary()]
  return look({ ...cohorts, boundaries }, [])
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
