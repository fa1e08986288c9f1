/** Findings about SQL: statements that repeat under one span, and statements that are slow by themselves. */
import type { CallSite } from '../evidence/call-site.ts'
import type { CpuSample } from '../evidence/cpu-samples.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import type { SpanTree } from '../evidence/span-tree.ts'
import { parsePlan } from '../evidence/sql/plan.ts'
import type { CapturedPlan } from '../evidence/sql/plan-capture.ts'
import { type PlanReading, readPlan } from '../evidence/sql/plan-issues.ts'
import type { PlanIssue } from '../evidence/sql/report.ts'
import {
  findRepeatedStatements,
  measureStatements,
  type RepeatedStatement,
  type StatementUse
} from '../evidence/sql/statements.ts'
import { writeBatchStatement } from './batch-statement.ts'
import { type Finding, round } from './finding.ts'
import {
  MIN_EXPLAINED_STATEMENT_MS,
  MIN_OUTLIER_STATEMENT_MS,
  MIN_REPORTED_WAIT_MS,
  MIN_SLOW_STATEMENT_MS,
  MIN_WASTED_ROWS
} from './thresholds.ts'

/** What the plan of a statement's slowest execution says, and how long that took by the database's clock. */
interface ReadPlan extends PlanReading {
  slowestMs: number
}

const NO_PLAN: ReadPlan = { issues: [], candidates: [], wastedRows: 0, slowestMs: Number.POSITIVE_INFINITY }

/** @param plans of each statement the slowest execution's; a statement without one is judged by its time alone */
export function findSqlFindings(
  tree: SpanTree,
  samples: readonly CpuSample[],
  sources: SourceTree,
  plans: readonly CapturedPlan[]
): Finding[] {
  const readings = new Map(plans.map((plan) => [plan.statement, toReading(plan)]))
  const repeated = findRepeatedStatements(tree, samples, sources).map((each) =>
    toRepeatedFinding(each, tree, sources)
  )
  const slow = measureStatements(tree, samples, sources).flatMap(
    (use) => findSlow(use, readings.get(use.statement) ?? NO_PLAN, tree, sources) ?? []
  )
  return [
    ...repeated,
    ...slow.filter((finding) => finding.severity === 'fault' || !repeated.some(isOf(finding)))
  ]
}

/** What repeats is told once, unless each execution is slow by itself. */
function isOf({ span, statement }: Finding) {
  return (other: Finding) => other.span === span && other.statement === statement
}

function toReading({ json, durationMs }: CapturedPlan): ReadPlan {
  return { ...readPlan(parsePlan(json)), slowestMs: durationMs }
}

function toRepeatedFinding(repeated: RepeatedStatement, tree: SpanTree, sources: SourceTree): Finding {
  const { parentName, statement, callsPerParent, msPerParent, parents } = repeated
  const replacement = writeBatchStatement(statement)
  return {
    ...toSqlFinding(repeated, msPerParent, tree, sources),
    severity: 'fault',
    calls_per_request: round(callsPerParent),
    ...(replacement === undefined ? {} : { replacement }),
    evidence: [
      `N+1: the same statement ${round(callsPerParent)} times under one ${parentName}, in ${parents} requests`,
      `the event loop had nothing else to do for ${round(msPerParent)} ms of a request`
    ],
    suggestion:
      'One statement for all of them: a JOIN with the statement that finds the keys, or the keys as an array' +
      (replacement === undefined
        ? ' (WHERE key = ANY($1)), and group the rows in memory.'
        : `, and group the rows in memory: ${replacement}`)
  }
}

/** By its plan where that says what is wrong, else by its time; what waits for the database has at least its line. */
function findSlow(
  use: StatementUse,
  plan: ReadPlan,
  tree: SpanTree,
  sources: SourceTree
): Finding | undefined {
  const { parentName, callsPerParent, calls } = use
  // Many rows cost the reader as much as the database.
  const returnsMany = plan.issues.some(({ kind }) => kind === 'many-rows')
  // Past what the slowest took, it was this process that was held up.
  const msPerCall = returnsMany ? use.durationMs : Math.min(use.msPerCall, plan.slowestMs)
  const msPerRequest = msPerCall * callsPerParent
  const isWasteful = plan.wastedRows * callsPerParent >= MIN_WASTED_ROWS
  const isSlow =
    Math.min(use.medianMs, plan.slowestMs) >= MIN_SLOW_STATEMENT_MS ||
    Math.min(use.slowestMs, plan.slowestMs) >= MIN_OUTLIER_STATEMENT_MS ||
    (plan.issues.some(isCause) && msPerRequest >= MIN_EXPLAINED_STATEMENT_MS)
  if (!isWasteful && !isSlow && msPerRequest < MIN_REPORTED_WAIT_MS) return undefined
  const wastesTime = plan.candidates.length > 0 || msPerRequest >= MIN_EXPLAINED_STATEMENT_MS
  const isFault = isSlow || (isWasteful && wastesTime)
  return {
    ...toSqlFinding(use, msPerRequest, tree, sources),
    severity: isFault ? 'fault' : 'info',
    calls_per_request: round(callsPerParent),
    plan_issues: plan.issues,
    evidence: [
      ...plan.issues.map(({ message }) => message),
      `${round(msPerCall)} ms for one execution under ${parentName}, on the mean of ${calls}`
    ],
    suggestion: suggestForPlan(plan)
  }
}

/** A wrong estimate by itself costs nothing, and rows read in vain are judged by their number. */
function isCause({ kind }: PlanIssue): boolean {
  return !['misestimate', 'unindexed-scan', 'selective-scan', 'rows-skipped'].includes(kind)
}

function suggestForPlan(plan: PlanReading): string {
  const {
    issues,
    candidates: [candidate]
  } = plan
  if (plan === NO_PLAN) return 'Its plan is not known here. Ask the database (EXPLAIN ANALYZE).'
  if (candidate) {
    const columns = candidate.columns.map((column) => `${candidate.table}.${column}`).join(', ')
    return (
      `Missing index on ${columns}: CREATE INDEX ON ${candidate.table} (${candidate.alternatives[0]?.join(', ')}). ` +
      'It was not tried: POST /debug/sql/index-advice does, and rolls it back.'
    )
  }
  const cause = issues.find(({ kind }) => kind !== 'misestimate')
  if (cause) return `No index is missing. ${cause.message}.`
  return 'Its plan shows nothing that an index would mend: it waits (a lock, a sleep), or computes. Ask the database (EXPLAIN ANALYZE).'
}

function toSqlFinding(
  { parentName, statement, callSite }: { parentName: string; statement: string; callSite?: CallSite },
  costMs: number,
  tree: SpanTree,
  sources: SourceTree
) {
  const parents = tree.byName.get(parentName) ?? []
  const spanMs = parents.reduce((sum, span) => sum + span.endMs - span.startMs, 0) / parents.length
  const file = callSite ? sources.relativePath(callSite.file) : null
  return {
    kind: 'sql' as const,
    span: parentName,
    function: callSite?.functionName ?? null,
    file,
    line: callSite?.line ?? null,
    line_exact: callSite !== undefined,
    chain: callSite
      ? [
          {
            function: callSite.functionName ?? '(anonymous)',
            file: sources.relativePath(callSite.file),
            line: callSite.line,
            source: sources.lineText(callSite.file, callSite.line)
          }
        ]
      : [],
    share_of_span: round(Math.min(costMs / spanMs, 1), 3),
    cost_ms_per_request: round(costMs),
    statement,
    samples: 0
  }
}
