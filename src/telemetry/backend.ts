/** One place that spans are sent to, with an account of what became of each. */
import { type Context, diag, TraceFlags } from '@opentelemetry/api'
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

/** started = exported + dropped + pending, once all spans have ended. */
export interface BackendCounts {
  started: number
  exported: number
  /** All that is lost: refused by the backend, not answered by it, or thrown away because the queue was full. */
  dropped: number
  /** Of those, what was sent and refused, or not answered. */
  failed: number
  pending: number
  lastError: { message: string; at: string } | null
}

export function createCounts(): BackendCounts {
  return { started: 0, exported: 0, dropped: 0, failed: 0, pending: 0, lastError: null }
}

/** Keeps what went wrong, and has it logged (once in a while, however often it comes). */
export function noteLoss(name: string, counts: BackendCounts, message: string): void {
  counts.lastError = { message, at: new Date().toISOString() }
  diag.warn(`${name}: spans were not taken: ${message}`)
}

/** Sends sampled spans in batches; bounded, so that a dead backend costs spans, never memory. */
export class Backend implements SpanProcessor {
  readonly name: string
  readonly counts = createCounts()
  readonly #batches: BatchSpanProcessor

  constructor(name: string, exporter: SpanExporter) {
    this.name = name
    this.#batches = new BatchSpanProcessor({
      exporter: countExports(name, exporter, this.counts),
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
      noteLoss(this.name, this.counts, `the queue of ${MAX_QUEUE_SPANS} spans is full`)
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

function countExports(name: string, exporter: SpanExporter, counts: BackendCounts): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, function countResult({ code, error }) {
        counts.pending -= spans.length
        if (code === ExportResultCode.SUCCESS) counts.exported += spans.length
        else {
          counts.failed += spans.length
          counts.dropped += spans.length
          noteLoss(name, counts, error?.message || 'the export failed')
        }
        // Told of a failure, the batch processor would log its whole stack, and forget that the next batch is already
        // on its way.
        done({ code: ExportResultCode.SUCCESS })
      })
    },
    shutdown: () => exporter.shutdown()
  }
}
