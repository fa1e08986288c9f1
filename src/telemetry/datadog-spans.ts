/** Mirrors OpenTelemetry's sampled spans into dd-trace, by dd-trace's public interface alone. */
import { type Context, type HrTime, TraceFlags, trace } from '@opentelemetry/api'
import { hrTimeToMilliseconds } from '@opentelemetry/core'
import type { ReadableSpan, Span, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Tracer } from 'dd-trace'
import type { OwnerScope } from '../evidence/tapped-profiler.ts'
import type { DatadogDeliveries } from './datadog-deliveries.ts'
import { endTags, operationName, startTags } from './datadog-tags.ts'
import { outsideRequests } from './outside-requests.ts'

/** dd-trace holds a trace back until all its spans have ended, or so many of them. */
export const MAX_CHUNK_SPANS = 1000

/** A span open for so long was forgotten (its request was aborted); it would withhold its whole trace. */
const MAX_OPEN_MS = 120_000

type DatadogSpan = ReturnType<Tracer['startSpan']>

/** The spans of one local root, which dd-trace sends together. */
interface LocalTrace {
  open: number
  ended: number
}

interface Mirror {
  span: DatadogSpan
  localTrace: LocalTrace
  startMs: number
}

export class DatadogSpans implements SpanProcessor, OwnerScope {
  readonly #tracer: Tracer
  readonly #deliveries: DatadogDeliveries
  readonly #mirrors = new WeakMap<object, Mirror>()
  /** In the order of their start. */
  readonly #open = new Map<Span | ReadableSpan, Mirror>()

  constructor(tracer: Tracer, deliveries: DatadogDeliveries) {
    this.#tracer = tracer
    this.#deliveries = deliveries
  }

  onStart(span: Span, parentContext: Context): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return
    this.#finishForgotten(Date.now() - MAX_OPEN_MS)
    const parent = this.#findParent(span, parentContext)
    // A trace goes out whole or not at all.
    if (isLocalRoot(span) ? this.#deliveries.isFull() : parent === undefined) {
      this.#deliveries.dropSpan()
      return
    }
    const mirror = outsideRequests(startMirror, this.#tracer, span, parent)
    mirror.localTrace.open += 1
    this.#mirrors.set(span, mirror)
    this.#open.set(span, mirror)
    this.#deliveries.addSpan()
  }

  onEnd(span: ReadableSpan): void {
    const mirror = this.#open.get(span)
    if (mirror === undefined) return
    mirror.span.addTags(endTags(span))
    this.#finish(span, mirror, toMs(span.endTime))
  }

  knows(span: object): boolean {
    return this.#mirrors.has(span)
  }

  run<T>(span: object | undefined, fn: () => T): T {
    const scope = this.#tracer.scope()
    const mirrored = (span && this.#mirrors.get(span)?.span) ?? null
    // On its way out `activate` labels what follows with the span it found; where that was none, it would take the
    // label off an unsampled span that goes on.
    return mirrored === scope.active() ? fn() : scope.activate(mirrored as DatadogSpan, fn)
  }

  async forceFlush(): Promise<void> {}

  /** What is still open goes out as it is. */
  async shutdown(): Promise<void> {
    this.#finishForgotten(Number.POSITIVE_INFINITY)
  }

  #findParent(span: Span, parentContext: Context): Mirror | undefined {
    const parent = trace.getSpan(parentContext)
    return parent && !isLocalRoot(span) ? this.#mirrors.get(parent) : undefined
  }

  #finishForgotten(startedBeforeMs: number): void {
    for (const [span, mirror] of this.#open) {
      if (mirror.startMs >= startedBeforeMs) return
      this.#finish(span, mirror, Date.now())
    }
  }

  #finish(span: Span | ReadableSpan, { span: mirrored, localTrace }: Mirror, endMs: number): void {
    this.#open.delete(span)
    localTrace.open -= 1
    localTrace.ended += 1
    // Before dd-trace learns of it: it may send at once.
    if (localTrace.open === 0 || localTrace.ended >= MAX_CHUNK_SPANS) {
      this.#deliveries.addChunk(localTrace.ended)
      localTrace.ended = 0
    }
    outsideRequests(finishSpan, mirrored, endMs)
  }
}

function isLocalRoot({ parentSpanContext }: Span): boolean {
  return parentSpanContext === undefined || parentSpanContext.isRemote === true
}

function startMirror(tracer: Tracer, span: Span, parent: Mirror | undefined): Mirror {
  const startMs = toMs(span.startTime)
  const childOf = parent?.span ?? extractRoot(tracer, span)
  return {
    span: tracer.startSpan(operationName(span), {
      ...(childOf && { childOf }),
      startTime: startMs,
      tags: startTags(span)
    }),
    localTrace: parent?.localTrace ?? { open: 0, ended: 0 },
    startMs
  }
}

/** The context that gives a local root our trace id, its remote parent, and the decision that was already made. */
function extractRoot(tracer: Tracer, span: Span): ReturnType<Tracer['extract']> {
  const { traceId } = span.spanContext()
  const parentId = span.parentSpanContext?.spanId
  return tracer.extract('text_map', {
    'x-datadog-trace-id': toDecimal(traceId.slice(16)),
    'x-datadog-parent-id': parentId === undefined ? '0' : toDecimal(parentId),
    'x-datadog-sampling-priority': '1',
    'x-datadog-tags': `_dd.p.tid=${traceId.slice(0, 16)}`
  })
}

function finishSpan(span: DatadogSpan, endMs: number): void {
  span.finish(endMs)
}

function toDecimal(hex: string): string {
  return BigInt(`0x${hex}`).toString()
}

function toMs(time: HrTime): number {
  return hrTimeToMilliseconds(time)
}
