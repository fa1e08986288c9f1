/** Findings about waiting: which span waits how long, and for what. Waiting has no line. */
import { SpanKind } from '@opentelemetry/api'
import type { ChildTimes, SpanTimes } from '../evidence/span-times.ts'
import { MIN_REPEATS } from '../evidence/sql/statements.ts'
import { type Finding, round } from './finding.ts'
import { MIN_REPORTED_WAIT_MS, MIN_UNEXPLAINED_WAIT_MS } from './thresholds.ts'

export function findWaitingFindings(times: readonly SpanTimes[]): Finding[] {
  return times
    .filter(({ name }) => !isClientSpan(name, times))
    .flatMap((span) => [...findUnexplained(span), ...findExplained(span)])
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
        severity: isLoop(child) ? 'fault' : 'info',
        evidence: [
          `${round(child.perParent)} × ${child.name} (client span) covers ${round(child.coveredMs)} ms of it`
        ],
        suggestion: isLoop(child)
          ? `${span.name} calls ${child.name} again and again: ask once for all of them, or side by side.`
          : `Not this code: ${span.name} waits for ${child.name}. Ask it for less, ask less often, or ask early.`
      })
    )
}

/** Many calls one after another; repeated statements are a finding of their own. */
function isLoop({ perParent, coveredMs, isStatement }: ChildTimes): boolean {
  return !isStatement && perParent >= MIN_REPEATS && coveredMs >= MIN_UNEXPLAINED_WAIT_MS
}

function toWaiting(
  span: SpanTimes,
  waitMs: number,
  { severity, evidence, suggestion }: Pick<Finding, 'severity' | 'evidence' | 'suggestion'>
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
    samples: 0,
    evidence: [`the span takes ${round(span.durationMs)} ms on the mean of ${span.count}`, ...evidence],
    suggestion
  }
}
