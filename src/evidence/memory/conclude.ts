/** The findings of a check as it ends. */
import process from 'node:process'
import { sum } from '../tally.ts'
import type { CohortRun } from './cohort-run.ts'
import { type LeakFindings, NOTHING_NAMED } from './leak-findings.ts'
import { toMb } from './megabytes.ts'

/** @param reason why, in words for a person @returns findings that name nothing */
export function conclude(
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
