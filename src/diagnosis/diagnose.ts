/** Evidence in, findings out: a pure function that knows nothing of the service it looks at. */

import type { Evidence } from '../evidence/evidence.ts'
import { measureRepeatedTokens } from '../evidence/repeated-tokens.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import { measureSpanTimes, type SpanTimes } from '../evidence/span-times.ts'
import { buildSpanTree } from '../evidence/span-tree.ts'
import { findCpuFindings } from './cpu-findings.ts'
import { type Diagnosis, type Finding, round } from './finding.ts'
import { findSqlFindings } from './sql-findings.ts'
import { findTokenFindings } from './token-findings.ts'
import { findWaitingFindings } from './waiting-findings.ts'

export interface DiagnoseOptions {
  sources: SourceTree
  /** CPU in ms per request from which on a finding is a fault. */
  minCpuMs: number
}

/** @returns the diagnosis without its id: findings ranked, faults first, then by what they cost a request */
export function diagnose(evidence: Evidence, { sources, minCpuMs }: DiagnoseOptions): Omit<Diagnosis, 'id'> {
  const tree = buildSpanTree(evidence.spans)
  const times = measureSpanTimes(tree, evidence.samples)
  const cpuFindings = findCpuFindings(evidence, tree, sources, minCpuMs)
  const findings = rankFindings([
    ...cpuFindings,
    ...findSqlFindings(tree, evidence.samples, sources, evidence.plans),
    ...findTokenFindings(measureRepeatedTokens(tree, sources), sources),
    ...findWaitingFindings(times, cpuFindings)
  ])
  return {
    findings,
    healthy: isHealthy(findings),
    window: {
      seconds: round((evidence.endMs - evidence.startMs) / 1000, 2),
      requests: tree.requests.length,
      finished_requests: tree.requests.filter(({ ended }) => ended).length,
      labelled_samples: evidence.samples.filter(({ spanId, wallMs }) => tree.find(spanId) && wallMs > 0)
        .length,
      samples: evidence.samples.length,
      dropped_spans: evidence.droppedSpans,
      pause_ms: round(evidence.pauseMs, 2)
    },
    spans: times.map(toReport)
  }
}

/** @returns faults first, then by what they cost a request */
export function rankFindings(findings: Finding[]): Finding[] {
  return findings.toSorted(byRank)
}

export function isHealthy(findings: Finding[]): boolean {
  return !findings.some(({ severity }) => severity === 'fault')
}

function byRank(a: Finding, b: Finding): number {
  if (a.severity !== b.severity) return a.severity === 'fault' ? -1 : 1
  return (b.cost_ms_per_request ?? 0) - (a.cost_ms_per_request ?? 0)
}

function toReport(times: SpanTimes): Diagnosis['spans'][number] {
  return {
    span: times.name,
    count: times.count,
    duration_ms: round(times.durationMs),
    own_cpu_ms: round(times.ownCpuMs),
    busy_with_others_ms: round(times.busyWithOthersMs),
    idle_ms: round(times.idleMs),
    children: times.children.map(({ name, perParent, coveredMs }) => ({
      span: name,
      calls: round(perParent),
      covered_ms: round(coveredMs)
    }))
  }
}
