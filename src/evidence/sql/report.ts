/** What is known of the statements of this process, in one answer. */
import { z } from 'zod'
import { findCallSite } from '../call-site.ts'
import type { SourceTree } from '../source-tree.ts'
import { statementId } from './normalize.ts'
import { describePlan, parsePlan } from './plan.ts'
import { planCapture } from './plan-capture.ts'
import { readPlan } from './plan-issues.ts'
import { type LoggedStatement, statementLog } from './statement-log.ts'

const SHOWN_TRACES = 10

export const planIssueSchema = z.object({
  kind: z.enum([
    'unindexed-scan',
    'selective-scan',
    'misestimate',
    'sort-spilled',
    'hash-spilled',
    'many-loops',
    'cartesian-join',
    'rows-skipped',
    'many-rows'
  ]),
  node: z.string().describe('kind of the plan node, such as Seq Scan'),
  table: z.string().nullable().describe('with its schema'),
  columns: z.array(z.string()),
  message: z.string()
})

export const indexAdviceSchema = z.object({
  verdict: z.enum(['helps', 'would-not-help', 'not-tried']),
  ddl: z.string().nullable().describe('the statement that makes the index; null where none was worth a try'),
  cost_before: z.number().nullable().describe("the planner's, in its own unit"),
  cost_after: z.number().nullable(),
  message: z.string()
})

export const sqlReportSchema = z.object({
  since: z.iso.datetime(),
  plans: z.object({
    available: z.boolean().nullable().describe('null until a window was open'),
    message: z.string()
  }),
  statements: z
    .array(
      z.object({
        id: z.string(),
        statement: z.string().describe('without its values'),
        calls: z.int(),
        requests: z.int(),
        calls_per_request: z.number(),
        errors: z.int(),
        total_ms: z.number().describe('until the event loop took note of the answers'),
        mean_ms: z.number(),
        max_ms: z.number(),
        rows: z.int(),
        rows_per_call: z.number(),
        call_site: z
          .object({
            function: z.string().nullable(),
            file: z.string(),
            line: z.int(),
            source: z.string().nullable()
          })
          .nullable(),
        trace_ids: z.array(z.string()).describe('sampled ones, the newest first'),
        plan: z
          .object({
            duration_ms: z.number().describe("of this execution, by the database's clock"),
            captured_at: z.iso.datetime(),
            trace_id: z.string().nullable(),
            span_id: z.string().nullable(),
            text: z.array(z.string()).describe('one line a node, indented; values are left out'),
            issues: z.array(planIssueSchema)
          })
          .nullable()
          .describe('of the slowest execution within the last window'),
        index_advice: indexAdviceSchema.nullable().describe('null until it was asked for')
      })
    )
    .describe('the most time-consuming first')
})

export type PlanIssue = z.infer<typeof planIssueSchema>
export type IndexAdvice = z.infer<typeof indexAdviceSchema>
export type SqlReport = z.infer<typeof sqlReportSchema>
type StatementReport = SqlReport['statements'][number]

/**
 * @param sources tells which frame of a statement's stack is the caller's own
 * @param findAdvice the last advice on a normalised statement, if it was asked for
 */
export function reportSql(
  sources: SourceTree,
  findAdvice: (statement: string) => IndexAdvice | undefined
): SqlReport {
  return {
    since: statementLog.since.toISOString(),
    plans: describePlans(),
    statements: statementLog.list().map((logged) => ({
      ...toReport(logged, sources),
      index_advice: findAdvice(logged.statement) ?? null
    }))
  }
}

function toReport(logged: LoggedStatement, sources: SourceTree): Omit<StatementReport, 'index_advice'> {
  const { statement, calls, requests, errors, totalMs, maxMs, rows, traceIds, stack } = logged
  return {
    id: statementId(statement),
    statement,
    calls,
    requests,
    calls_per_request: round(calls / requests),
    errors,
    total_ms: round(totalMs),
    mean_ms: round(totalMs / calls),
    max_ms: round(maxMs),
    rows,
    rows_per_call: round(rows / calls),
    call_site: describeCallSite(stack, sources),
    trace_ids: traceIds.slice(0, SHOWN_TRACES),
    plan: reportPlan(statement)
  }
}

function describePlans(): SqlReport['plans'] {
  if (planCapture.windows === 0) {
    return { available: null, message: 'Plans are taken while a window is open: POST /diagnosis opens one.' }
  }
  if (planCapture.obstacle !== null) return { available: false, message: planCapture.obstacle }
  return { available: true, message: 'Of each statement the slowest execution of the last window.' }
}

function reportPlan(statement: string): StatementReport['plan'] {
  const captured = planCapture.find(statement)
  if (!captured) return null
  const plan = parsePlan(captured.json)
  return {
    duration_ms: captured.durationMs,
    captured_at: new Date(captured.capturedAtMs).toISOString(),
    trace_id: captured.traceId,
    span_id: captured.spanId,
    text: describePlan(plan),
    issues: readPlan(plan).issues
  }
}

function describeCallSite(stack: string, sources: SourceTree): StatementReport['call_site'] {
  const site = findCallSite(stack, sources)
  if (!site) return null
  return {
    function: site.functionName,
    file: sources.relativePath(site.file),
    line: site.line,
    source: sources.lineText(site.file, site.line)
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
