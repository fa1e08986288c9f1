import { type Attributes, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { hrTimeToMilliseconds } from '@opentelemetry/core'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import { sum } from '../evidence/tally.ts'

/** A full-fault query leaves some 60 spans: 200 such traces are a few megabytes. */
const MAX_TRACES = 200
const MAX_SPANS_PER_TRACE = 500
/** What one takes on the heap: measured, of traces of 60 spans that are mostly SQL. */
const SPAN_BYTES = 780

export interface TraceSpan {
  span_id: string
  parent_span_id: string | null
  name: string
  kind: string
  start_time: string
  duration_ms: number
  status: 'ok' | 'error'
  attributes: Attributes
  events: { name: string; time: string; attributes: Attributes }[]
}

export interface TraceSummary {
  trace_id: string
  name: string
  start_time: string
  duration_ms: number
  status: 'ok' | 'error'
  user_id: string | null
  tenant_id: string | null
  span_count: number
  /** Spans past the limit of one trace, counted but not kept. */
  dropped_spans: number
}

export interface TraceFilter {
  minDurationMs?: number | undefined
  userId?: string | undefined
  tenantId?: string | undefined
  status?: 'ok' | 'error' | undefined
}

interface KeptTrace {
  spans: ReadableSpan[]
  droppedSpans: number
}

/** The newest sampled traces of this process, in memory; the oldest makes room for the next. */
export class RecentTraces implements SpanProcessor {
  readonly #traces = new Map<string, KeptTrace>()

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    const { traceId, traceFlags } = span.spanContext()
    if ((traceFlags & TraceFlags.SAMPLED) === 0) return
    const trace = this.#traces.get(traceId) ?? this.#add(traceId)
    if (trace.spans.length < MAX_SPANS_PER_TRACE || isLocalRoot(span)) trace.spans.push(span)
    else trace.droppedSpans += 1
  }

  #add(traceId: string): KeptTrace {
    const trace = { spans: [], droppedSpans: 0 }
    this.#traces.set(traceId, trace)
    const [oldest] = this.#traces.keys()
    if (this.#traces.size > MAX_TRACES && oldest !== undefined) this.#traces.delete(oldest)
    return trace
  }

  /** About what they take on the heap: it rises until there are as many as are kept. */
  get keptBytes(): number {
    return SPAN_BYTES * sum([...this.#traces.values()].map(({ spans }) => spans.length))
  }

  /** Finished traces that pass every given filter, newest first. */
  list(filter: TraceFilter = {}): TraceSummary[] {
    return [...this.#traces.values()]
      .flatMap((trace) => summarize(trace) ?? [])
      .filter((summary) => passes(summary, filter))
      .reverse()
  }

  /** One trace's spans by start time, or undefined when it is not (or no longer) kept. */
  find(traceId: string): { trace_id: string; dropped_spans: number; spans: TraceSpan[] } | undefined {
    const trace = this.#traces.get(traceId)
    if (trace === undefined) return undefined
    const spans = trace.spans.toSorted((a, b) => toMs(a.startTime) - toMs(b.startTime))
    return { trace_id: traceId, dropped_spans: trace.droppedSpans, spans: spans.map(toTraceSpan) }
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {
    this.#traces.clear()
  }
}

const toMs = hrTimeToMilliseconds

function isLocalRoot(span: ReadableSpan): boolean {
  return span.parentSpanContext === undefined || span.parentSpanContext.isRemote === true
}

function summarize(trace: KeptTrace): TraceSummary | undefined {
  const root = trace.spans.find(isLocalRoot)
  if (root === undefined) return undefined
  return {
    trace_id: root.spanContext().traceId,
    name: root.name,
    start_time: toIso(toMs(root.startTime)),
    duration_ms: toMs(root.duration),
    status: statusOf(root),
    user_id: textOrNull(root.attributes['user.id']),
    tenant_id: textOrNull(root.attributes['tenant.id']),
    span_count: trace.spans.length,
    dropped_spans: trace.droppedSpans
  }
}

function passes(trace: TraceSummary, filter: TraceFilter): boolean {
  return (
    trace.duration_ms >= (filter.minDurationMs ?? 0) &&
    (filter.userId === undefined || trace.user_id === filter.userId) &&
    (filter.tenantId === undefined || trace.tenant_id === filter.tenantId) &&
    (filter.status === undefined || trace.status === filter.status)
  )
}

function toTraceSpan(span: ReadableSpan): TraceSpan {
  return {
    span_id: span.spanContext().spanId,
    parent_span_id: span.parentSpanContext?.spanId ?? null,
    name: span.name,
    kind: SpanKind[span.kind].toLowerCase(),
    start_time: toIso(toMs(span.startTime)),
    duration_ms: toMs(span.duration),
    status: statusOf(span),
    attributes: span.attributes,
    events: span.events.map((event) => ({
      name: event.name,
      time: toIso(toMs(event.time)),
      attributes: event.attributes ?? {}
    }))
  }
}

function statusOf(span: ReadableSpan): 'ok' | 'error' {
  return span.status.code === SpanStatusCode.ERROR ? 'error' : 'ok'
}

function toIso(ms: number): string {
  return new Date(ms).toISOString()
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
