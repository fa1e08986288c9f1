/** What looks like a leak is looked into: is there an excuse, and if not, what holds it, and on which line does it grow? */
import { sum } from '../tally.ts'
import { type CohortRun, readUsedBytes } from './cohort-run.ts'
import type { Look } from './cohorts.ts'
import { conclude } from './conclude.ts'
import { findExpiries } from './expiry.ts'
import type { NamedLook } from './held-by.ts'
import type { Holding } from './holdings.ts'
import type { Excuse, LeakFindings } from './leak-findings.ts'
import { createLeakLocator, type LeakLocator } from './leak-location.ts'

const MAX_TYPES = 5

/** The largest that nothing excuses is the leak; without one the largest that may still be one is told, or the largest. */
export async function explainWorst(
  guilty: readonly Holding[],
  last: NamedLook,
  cohorts: CohortRun,
  rootDir: string,
  lookOnceMore: () => Promise<Look<Holding>>
): Promise<LeakFindings> {
  const { heap, run, cohortIterations } = cohorts
  const suspects = guilty.map(function toSuspect(holding) {
    const bytesPerIteration = sum(holding.bytes) / sum(cohortIterations) + holding.storeBytes / run.done
    const holder = last.heldBy.get(holding) ?? null
    const locator = createLeakLocator(heap, rootDir, holding, holder, run)
    return { holding, bytesPerIteration, name: holder?.name ?? null, locator }
  })
  const expiries = await findExpiries(
    heap,
    suspects.map(({ locator, holding }) => ({ ...locator.suspect, holding })),
    last,
    lookOnceMore,
    run
  )
  const excuses: Excuse[] = []
  for (const [i, suspect] of suspects.entries()) {
    const excuse = expiries[i] ?? (await suspect.locator.judgeByLimit())
    if (excuse === undefined) return explain(suspect, cohorts)
    excuses.push(excuse)
  }
  const { verdict, reason } =
    excuses.find((excuse) => excuse.verdict === 'inconclusive') ?? (excuses[0] as Excuse)
  return conclude(cohorts, verdict, reason)
}

interface LocatedHolding {
  holding: Holding
  bytesPerIteration: number
  /** Of what holds it. */
  name: string | null
  locator: LeakLocator
}

/** Names the variable, the line, the types and the proof. */
async function explain(
  { holding, bytesPerIteration, name, locator }: LocatedHolding,
  cohorts: CohortRun
): Promise<LeakFindings> {
  const { run, cohortIterations } = cohorts
  const leak = conclude(cohorts, 'leak', describeLeak(holding, run.done))
  const allocatedAt = await locator.findInsertion()
  return {
    ...leak,
    growth_bytes_per_iteration: Math.round(bytesPerIteration),
    retained_by: name,
    allocated_at: allocatedAt ?? null,
    growing_types: listTypes(holding, sum(cohortIterations)),
    proof: await locator.proveByClearing(bytesPerIteration * run.done, readUsedBytes)
  }
}

function describeLeak({ counts }: Holding, done: number): string {
  return counts.filter((count) => count > 0).length > 1
    ? `over ${done} iterations old and new ones alike leave objects that stay`
    : `over ${done} iterations what is kept grows in proportion`
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
