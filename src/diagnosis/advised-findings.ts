/** Tries the indexes that findings ask for, after the window, and says in the findings what came of it. */
import type { IndexAdvisor } from '../database/index-advisor.ts'
import type { IndexAdvice } from '../evidence/sql/report.ts'
import type { Finding } from './finding.ts'
import { MIN_EXPLAINED_STATEMENT_MS } from './thresholds.ts'

/** Each takes some tenths of a second. */
const MAX_TRIALS = 5

/** @returns the findings, those about a missing index with the advice where the advisor's mode lets a diagnosis try */
export async function adviseOnIndexes(findings: Finding[], advisor: IndexAdvisor): Promise<Finding[]> {
  if (advisor.mode !== 'on') return findings
  const advised: Finding[] = []
  let trials = 0
  for (const finding of findings) {
    const isWanted = wantsIndex(finding) && trials < MAX_TRIALS
    if (isWanted) trials += 1
    advised.push(isWanted ? await advise(finding, advisor) : finding)
  }
  return advised
}

function wantsIndex({ plan_issues = [] }: Finding): boolean {
  return plan_issues.some(({ kind }) => kind === 'unindexed-scan')
}

async function advise(finding: Finding, advisor: IndexAdvisor): Promise<Finding> {
  try {
    return withAdvice(finding, await advisor.advise(finding.statement ?? ''))
  } catch {
    // The database is gone, or somebody else is trying: what was found is true without the advice.
    return finding
  }
}

function withAdvice(finding: Finding, advice: IndexAdvice): Finding {
  const columns = finding.plan_issues
    ?.filter(({ kind }) => kind === 'unindexed-scan')
    .flatMap(({ table, columns }) => columns.map((column) => `${table}.${column}`))
  if (advice.verdict === 'helps') {
    const suggestion = `Missing index on ${columns?.join(', ')}: ${advice.ddl}. ${advice.message}`
    return { ...finding, index_advice: advice, suggestion }
  }
  if (advice.verdict === 'not-tried') {
    return { ...finding, index_advice: advice, suggestion: `${finding.suggestion} ${advice.message}` }
  }
  const isSlow = (finding.cost_ms_per_request ?? 0) >= MIN_EXPLAINED_STATEMENT_MS
  return {
    ...finding,
    severity: isSlow ? 'fault' : 'info',
    index_advice: advice,
    suggestion:
      `An index would not help (${advice.ddl}). ${advice.message} ` +
      'Read fewer rows: a narrower condition, or a summary kept beside the table.'
  }
}
