/** Findings about waiting: which span waits how long, and for what. Waiting has no line. */
import { SpanKind } from '@opentelemetry/api'
import type { Growth } from '../evidence/complexity.ts'
import type { ChildTimes, SpanTimes } from '../evidence/span-times.ts'
import { OUTSIDE_SPANS } from '../evidence/span-tree.ts'
import { MIN_REPEATS } from '../evidence/sql/statements.ts'
import { type Finding, round } from './finding.ts'
import { describeWaitGrowth, toComplexity } from './growth-text.ts'
import {
  MIN_BEHIND_SHARE,
  MIN_REPORTED_WAIT_MS,
  MIN_SLOW_CALL_MS,
  MIN_UNEXPLAINED_WAIT_MS
} from './thresholds.ts'

/** @param cpuFindings what the event loop was busy with */
export function findWaitingFindings(
  times: readonly SpanTimes[],
  cpuFindings: readonly Finding[] = []
): Finding[] {
  return times
    .filter(({ name }) => !isClientSpan(name, times))
    .flatMap((span) => [
      ...findUnexplained(span),
      ...findExplained(span),
      ...findBehindOthers(span, cpuFindings)
    ])
}

/** A client span is the wait itself; it is reported with the span that waits for it. */
function isClientSpan(name: string, times: readonly SpanTimes[]): boolean {
  return times.some(({ children }) =>
    children.some((child) => child.name === name && child.kind === SpanKind.CLIENT)
  )
}

function findUnexplained(span: SpanTimes): Finding[] {
  if (span.idleMs < MIN_REPORTED_WAIT_MS) return []
  return [
    toWaiting(span, span.idleMs, {
      severity: span.idleMs >= MIN_UNEXPLAINED_WAIT_MS ? 'fault' : 'info',
      growth: span.idleGrowth,
      evidence: [
        `the event loop was idle for ${round(span.idleMs)} ms of it, and no child span says for what`
      ],
      suggestion:
        `${span.name} waits for something that is not traced: a timer, a lock, a queue, or I/O without a span. ` +
        'Look at what it awaits, and put a span around it.'
    })
  ]
}

function findExplained(span: SpanTimes): Finding[] {
  return span.children
    .filter((child) => child.kind === SpanKind.CLIENT && child.coveredMs >= MIN_REPORTED_WAIT_MS)
    .map((child) =>
      toWaiting(span, child.coveredMs, {
        severity: isLoop(child) || isSlowCall(child, span) ? 'fault' : 'info',
        growth: child.growth,
        evidence: [
          `${round(child.perParent)} × ${child.name} (client span) covers ${round(child.coveredMs)} ms of it`
        ],
        suggestion: isLoop(child)
          ? `${span.name} calls ${child.name} again and again: ask once for all of them, or side by side.`
          : `Not this code: ${span.name} waits for ${child.name}. Ask it for less, ask less often, or ask early.`
      })
    )
}

/** Not where the loop was busy meanwhile: then the answer may have been there long since. */
function isSlowCall({ httpMethod, idleMs }: ChildTimes, { isModelCall }: SpanTimes): boolean {
  // Models are asked by POST, as OpenAI's is; what the span fetches besides is no model's answer.
  const isModelsAnswer = isModelCall && httpMethod === 'POST'
  return httpMethod !== undefined && !isModelsAnswer && idleMs >= MIN_SLOW_CALL_MS
}

/** Its time is somebody else's: what has to be mended is what holds the event loop. */
function findBehindOthers(span: SpanTimes, cpuFindings: readonly Finding[]): Finding[] {
  const { name, busyWithOthersMs, durationMs, busyWith } = span
  const [culprit] = [...busyWith].sort((a, b) => b[1] - a[1])
  if (!culprit || busyWithOthersMs < Math.max(MIN_REPORTED_WAIT_MS, durationMs * MIN_BEHIND_SHARE)) return []
  const [culpritName, culpritMs] = culprit
  const finding = cpuFindings.find(({ span, file }) => span === culpritName && file !== null)
  const place = finding ? `, most of all ${finding.function} on ${finding.file}:${finding.line}` : ''
  return [
    toWaiting(span, busyWithOthersMs, {
      severity: 'info',
      evidence: [
        `the event loop was busy with others for ${round(busyWithOthersMs)} ms of it: ` +
          `${round(culpritMs)} ms of that with ${describeCulprit(culpritName, name)}`
      ],
      suggestion: `Not this code: ${name} stands behind ${describeCulprit(culpritName, name)}${place}. Mend that.`
    })
  ]
}

function describeCulprit(culprit: string, victim: string): string {
  if (culprit === OUTSIDE_SPANS) return 'work outside any span'
  return culprit === victim ? `${culprit} of other requests` : culprit
}

/** Many calls one after another; repeated statements are a finding of their own. */
function isLoop({ perParent, coveredMs, isStatement }: ChildTimes): boolean {
  return !isStatement && perParent >= MIN_REPEATS && coveredMs >= MIN_UNEXPLAINED_WAIT_MS
}

function toWaiting(
  span: SpanTimes,
  waitMs: number,
  {
    severity,
    evidence,
    suggestion,
    growth
  }: Pick<Finding, 'severity' | 'evidence' | 'suggestion'> & { growth?: Growth | undefined }
): Finding {
  return {
    kind: 'waiting',
    severity,
    span: span.name,
    function: null,
    file: null,
    line: null,
    line_exact: false,
    chain: [],
    share_of_span: round(Math.min(waitMs / span.durationMs, 1), 3),
    cost_ms_per_request: round(waitMs),
    ...(growth ? { complexity: toComplexity(growth) } : {}),
    samples: 0,
    evidence: [
      `the span takes ${round(span.durationMs)} ms on the mean of ${span.count}`,
      ...evidence,
      ...(growth ? [describeWaitGrowth(growth)] : [])
    ],
    suggestion
  }
}
