/** One place that spans are sent to, with an account of what became of each. */
import { type Context, TraceFlags } from '@opentelemetry/api'
import { ExportResultCode } from '@opentelemetry/core'
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type Span,
  type SpanExporter,
  type SpanProcessor
} from '@opentelemetry/sdk-trace'
import { outsideRequests } from './outside-requests.ts'

/** The SDK's own defaults (OpenTelemetry specification, batching processor). */
const MAX_QUEUE_SPANS = 2048
const MAX_BATCH_SPANS = 512
const EXPORT_DELAY_MS = 5000

/** ended = exported + failed + dropped + pending, once the spans of `started` have ended. */
export interface BackendCounts {
  started: number
  exported: number
  /** Refused by the backend, or it did not answer. */
  failed: number
  /** Thrown away because the queue was full. */
  dropped: number
  pending: number
  lastError: { message: string; at: string } | null
}

export function createCounts(): BackendCounts {
  return { started: 0, exported: 0, failed: 0, dropped: 0, pending: 0, lastError: null }
}

/** Sends sampled spans in batches; bounded, so that a dead backend costs spans, never memory. */
export class Backend implements SpanProcessor {
  readonly name: string
  readonly counts = createCounts()
  readonly #batches: BatchSpanProcessor

  constructor(name: string, exporter: SpanExporter) {
    this.name = name
    this.#batches = new BatchSpanProcessor({
      exporter: countExports(exporter, this.counts),
      maxQueueSize: MAX_QUEUE_SPANS,
      maxExportBatchSize: MAX_BATCH_SPANS,
      scheduledDelayMillis: EXPORT_DELAY_MS
    })
  }

  onStart(span: Span, _parentContext: Context): void {
    if (isSampled(span)) this.counts.started += 1
  }

  onEnd(span: ReadableSpan): void {
    if (!isSampled(span)) return
    if (this.counts.pending >= MAX_QUEUE_SPANS) {
      this.counts.dropped += 1
      return
    }
    this.counts.pending += 1
    outsideRequests(queueSpan, this.#batches, span)
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush()
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown()
  }
}

function queueSpan(batches: BatchSpanProcessor, span: ReadableSpan): void {
  batches.onEnd(span)
}

function isSampled(span: ReadableSpan): boolean {
  return (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0
}

function countExports(exporter: SpanExporter, counts: BackendCounts): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, function countResult(result) {
        counts.pending -= spans.length
        if (result.code === ExportResultCode.SUCCESS) counts.exported += spans.length
        else {
          counts.failed += spans.length
          counts.lastError = {
            message: result.error?.message ?? 'export failed',
            at: new Date().toISOString()
          }
        }
        done(result)
      })
    },
    shutdown: () => exporter.shutdown()
  }
}
