/**
 * What every recorded statement of this process cost so far, by its normalised text: calls, times, rows, the traces
 * it ran in, and the stack that it was first called from. Spans are recorded where they are sampled, and all of
 * them while a window is open.
 */
import { type Span, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { hrTimeToMilliseconds } from '@opentelemetry/core'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import { captureStack } from '../stack.ts'
import { normalizeSql } from './normalize.ts'

/** A service has some dozens; a caller that builds names of tables into its SQL must not fill the memory. */
const MAX_STATEMENTS = 300
/** Traces of which is known that a statement ran in them: as many requests may be under way at once. */
const MAX_TRACE_IDS = 100

/** As OpenTelemetry's semantic conventions name it. */
export const ROWS_ATTRIBUTE = 'db.response.returned_rows'

export interface LoggedStatement {
  /** Normalised. */
  statement: string
  calls: number
  requests: number
  errors: number
  /** From the query's start to the moment the event loop took note of its answer. */
  totalMs: number
  maxMs: number
  rows: number
  /** Sampled ones, the newest first. */
  traceIds: string[]
  stack: string
}

interface Entry extends Omit<LoggedStatement, 'statement' | 'traceIds'> {
  /** The newest last; true where sampled. */
  traces: Map<string, boolean>
}

class StatementLog implements SpanProcessor {
  readonly #entries = new Map<string, Entry>()
  #since = new Date()

  /** Since when is counted. */
  get since(): Date {
    return this.#since
  }

  /** Called synchronously from the call of the driver, while the stack still shows who asked. */
  noteCall(span: Span, text: string): void {
    if (!span.isRecording()) return
    const statement = normalizeSql(text)
    if (this.#entries.has(statement) || this.#entries.size >= MAX_STATEMENTS) return
    this.#entries.set(statement, {
      calls: 0,
      requests: 0,
      errors: 0,
      totalMs: 0,
      maxMs: 0,
      rows: 0,
      stack: captureStack(),
      traces: new Map()
    })
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    const text = span.attributes['db.query.text']
    if (span.kind !== SpanKind.CLIENT || typeof text !== 'string') return
    const entry = this.#entries.get(normalizeSql(text))
    if (!entry) return
    const ms = hrTimeToMilliseconds(span.duration)
    const rows = span.attributes[ROWS_ATTRIBUTE]
    entry.calls += 1
    entry.totalMs += ms
    entry.maxMs = Math.max(entry.maxMs, ms)
    if (typeof rows === 'number') entry.rows += rows
    if (span.status.code === SpanStatusCode.ERROR) entry.errors += 1
    noteTrace(entry, span)
  }

  /** @returns the statements that ended at least once, those that took the most time first */
  list(): LoggedStatement[] {
    return [...this.#entries]
      .filter(([, { calls }]) => calls > 0)
      .map(([statement, { traces, ...counts }]) => ({
        statement,
        ...counts,
        traceIds: [...traces].flatMap(([id, isSampled]) => (isSampled ? [id] : [])).reverse()
      }))
      .sort((a, b) => b.totalMs - a.totalMs)
  }

  /** Begins anew. */
  clear(): void {
    this.#entries.clear()
    this.#since = new Date()
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {
    this.clear()
  }
}

function noteTrace(entry: Entry, span: ReadableSpan): void {
  const { traceId, traceFlags } = span.spanContext()
  if (!entry.traces.has(traceId)) entry.requests += 1
  entry.traces.set(traceId, (traceFlags & TraceFlags.SAMPLED) !== 0)
  const [oldest] = entry.traces.keys()
  if (entry.traces.size > MAX_TRACE_IDS && oldest !== undefined) entry.traces.delete(oldest)
}

export const statementLog = new StatementLog()
