/**
 * Keeps every span of a window, sampled or not, as plain data. Events are left out on purpose: a diagnosis
 * must not be able to read the planted faults' feature_flag events.
 */
import process from 'node:process'
import { type Attributes, type HrTime, SpanKind, trace } from '@opentelemetry/api'
import type { ReadableSpan, Span, SpanProcessor } from '@opentelemetry/sdk-trace'
import { captureStack } from './stack.ts'

export interface RecordedSpan {
  traceId: string
  spanId: string
  /** Absent on a local root: a request that this process was the first, or the first here, to see. */
  parentSpanId?: string
  name: string
  kind: SpanKind
  /** Milliseconds since the Unix epoch. */
  startMs: number
  endMs: number
  /** False when the window closed first: its times are what was seen of it. */
  ended: boolean
  attributes: Attributes
  failed: boolean
  /** CPU time of the main thread, for anything, between the span's start and its end. */
  threadCpuMs: number
  /** V8 stack text from where a client span was started, or `noteCaller` called; the call site is read from it. */
  startStack?: string
}

/** More than any window of a demo needs; a flood must not fill the memory. */
const MAX_SPANS = 20_000
/** Enough to know a loop's call site; a stack for each of its statements would cost more than the loop itself. */
const MAX_STACKS_PER_STATEMENT = 2

interface StartedSpan {
  span: Span
  startCpuMs: number
  startStack?: string
}

class SpanRecorder implements SpanProcessor {
  #started = new Map<string, StartedSpan>()
  #ended: RecordedSpan[] = []
  #stacksTaken = new Map<string, number>()
  #isOpen = false
  #endedCount = 0
  droppedSpans = 0

  get isOpen(): boolean {
    return this.#isOpen
  }

  open(): void {
    this.#started.clear()
    this.#stacksTaken.clear()
    this.#ended = []
    this.#endedCount = 0
    this.droppedSpans = 0
    this.#isOpen = true
  }

  /** The spans that ended and were not taken yet, in order of their end. */
  get endedSpans(): readonly RecordedSpan[] {
    return this.#ended
  }

  /** @returns `endedSpans`, which then are no longer kept */
  takeEndedSpans(): RecordedSpan[] {
    const spans = this.#ended
    this.#ended = []
    return spans
  }

  /** Spans started in this window that have not ended yet. */
  get unfinishedSpans(): number {
    return this.#started.size
  }

  /** @returns the spans not taken yet that started within the window; those still running as if they ended now */
  close(): RecordedSpan[] {
    this.#isOpen = false
    const running = [...this.#started.values()].map((start) => toRecordedSpan(start, false))
    const spans = [...this.#ended, ...running]
    this.#ended = []
    this.#started.clear()
    return spans
  }

  onStart(span: Span): void {
    if (!this.#isOpen || this.#started.size >= MAX_SPANS) return
    this.#started.set(span.spanContext().spanId, {
      span,
      startCpuMs: readThreadCpuMs(),
      ...(this.#wantsStack(span) ? { startStack: captureStack() } : {})
    })
  }

  #wantsStack({ kind, name, parentSpanContext }: Span): boolean {
    return kind === SpanKind.CLIENT && this.#isAmongFirst(parentSpanContext?.spanId, name)
  }

  #isAmongFirst(parentSpanId: string | undefined, what: string): boolean {
    if (this.#stacksTaken.size >= MAX_SPANS) return false
    const key = `${parentSpanId}\n${what}`
    const taken = this.#stacksTaken.get(key) ?? 0
    this.#stacksTaken.set(key, taken + 1)
    return taken < MAX_STACKS_PER_STATEMENT
  }

  /**
   * Keeps where a statement is called from: as its span starts, its name is no more than SELECT, and the first ones of
   * that name may all be other statements. To be called synchronously from the call of the driver.
   */
  noteStatement(span: Pick<Span, 'spanContext'>, statement: string): void {
    const started = this.#started.get(span.spanContext().spanId)
    if (!this.#isOpen || !started) return
    const isWanted = this.#isAmongFirst(started.span.parentSpanContext?.spanId, statement)
    if (isWanted) started.startStack ??= captureStack()
  }

  /** Keeps, for the active span, where its code calls out: for calls that are not made as a client span starts. */
  noteCaller(): void {
    if (!this.#isOpen) return
    const started = this.#started.get(trace.getActiveSpan()?.spanContext().spanId ?? '')
    if (started) started.startStack ??= captureStack()
  }

  onEnd(span: ReadableSpan): void {
    const { spanId } = span.spanContext()
    const start = this.#started.get(spanId)
    // A span that began before the window has lost a part of its samples: leave it out.
    if (!this.#isOpen || start === undefined) return
    this.#started.delete(spanId)
    if (this.#endedCount >= MAX_SPANS) {
      this.droppedSpans += 1
      return
    }
    this.#endedCount += 1
    this.#ended.push(toRecordedSpan(start, true))
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {
    this.close()
  }
}

function toRecordedSpan({ span, startCpuMs, startStack }: StartedSpan, ended: boolean): RecordedSpan {
  const { traceId, spanId } = span.spanContext()
  const parent = span.parentSpanContext
  return {
    traceId,
    spanId,
    ...(parent && !parent.isRemote ? { parentSpanId: parent.spanId } : {}),
    name: span.name,
    kind: span.kind,
    startMs: toMs(span.startTime),
    endMs: ended ? toMs(span.endTime) : Date.now(),
    ended,
    attributes: span.attributes,
    failed: span.status.code === 2,
    threadCpuMs: readThreadCpuMs() - startCpuMs,
    ...(startStack === undefined ? {} : { startStack })
  }
}

/**
 * Not the event loop's own utilization: the profilers' signals interrupt its polling, and idle time that a signal
 * cut short is counted as active (240 of 300 ms seen).
 */
function readThreadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

function toMs([seconds, nanos]: HrTime): number {
  return seconds * 1000 + nanos / 1e6
}

export type { SpanRecorder }
export const spanRecorder = new SpanRecorder()
