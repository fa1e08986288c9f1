/**
 * What became of that which dd-trace sends to the agent. It keeps that to itself, so Node's own diagnostics channel
 * for outgoing HTTP is asked instead.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { diag } from '@opentelemetry/api'
import { createCounts, noteLoss } from './backend.ts'
import { HourCount } from './hour-count.ts'

/** A few megabytes. dd-trace itself would keep 64 MB of them for an agent that hangs. */
const MAX_UNANSWERED_SPANS = 8192

const TRACE_COUNT_HEADER = 'x-datadog-trace-count'
const TOO_MUCH_WAITS = 'too much waits for the agent'
const PROFILES_PATH = '/profiling/v1/input'

/** More than dd-trace lets wait: it sends every 2 s. Further ones were taken by nobody. */
const MAX_WAITING_CHUNKS = 10_000

/** dd-trace sends a batch again up to five times, 8 s apart at most. */
const RETRY_WITHIN_MS = 30_000

export interface ProfileCounts {
  accepted: number
  /** Of the last 60 minutes. */
  readonly recentlyAccepted: HourCount
  failed: number
}

interface Batch {
  spans: number
  /** Two attempts to send one batch have it in common. */
  key: string
  failedAtMs: number
}

/** Follows spans in chunks (what dd-trace sends of one trace at a time) and profiles on their way to the agent. */
export class DatadogDeliveries {
  readonly counts = createCounts()
  readonly profiles: ProfileCounts = { accepted: 0, recentlyAccepted: new HourCount(), failed: 0 }
  /** Spans handed to dd-trace. */
  readonly spanCount = new HourCount()
  /** Sizes of the chunks that dd-trace has not tried to send yet, in its own order. */
  #chunks: number[] = []
  readonly #sending = new WeakMap<ClientRequest, Batch>()
  #failed: Batch[] = []
  #unansweredSpans = 0

  start(): void {
    subscribe('http.client.request.created', this.#onRequest)
    subscribe('http.client.response.finish', this.#onResponse)
    subscribe('http.client.request.error', this.#onError)
  }

  stop(): void {
    unsubscribe('http.client.request.created', this.#onRequest)
    unsubscribe('http.client.response.finish', this.#onResponse)
    unsubscribe('http.client.request.error', this.#onError)
  }

  addSpan(): void {
    this.counts.started += 1
    this.spanCount.add(Date.now())
  }

  /** True while the agent takes its time with so much that no further trace should be handed to dd-trace. */
  isFull(): boolean {
    return this.#unansweredSpans >= MAX_UNANSWERED_SPANS
  }

  /** A sampled span is not handed to dd-trace. */
  dropSpan(): void {
    this.counts.started += 1
    this.counts.dropped += 1
    noteLoss('datadog', this.counts, TOO_MUCH_WAITS)
  }

  /** dd-trace was handed `spans` spans of one trace, to be sent together. */
  addChunk(spans: number): void {
    this.counts.pending += spans
    if (this.#chunks.push(spans) <= MAX_WAITING_CHUNKS) return
    this.#discardOldest(1)
  }

  /** What dd-trace has thrown away: it sends in order, and all that it holds at once. */
  #discardOldest(chunks: number): void {
    const spans = sum(this.#chunks.splice(0, chunks))
    if (spans === 0) return
    this.counts.pending -= spans
    this.counts.dropped += spans
    noteLoss('datadog', this.counts, TOO_MUCH_WAITS)
  }

  readonly #onRequest = (message: unknown): void => {
    const { request } = message as { request: ClientRequest }
    const traces = Number(request.getHeader(TRACE_COUNT_HEADER) ?? 0)
    if (traces === 0) return
    const key = `${traces} ${request.getHeader('content-length')}`
    // A first attempt is for all that waits. Where two batches look the same, it does not matter which is which.
    const isFirst = traces === this.#chunks.length
    const batch = (isFirst ? undefined : this.#takeFailed(key)) ?? this.#takeChunks(traces, key)
    this.#sending.set(request, batch)
    this.#unansweredSpans += batch.spans
  }

  #takeChunks(traces: number, key: string): Batch {
    if (this.#chunks.length > traces) this.#discardOldest(this.#chunks.length - traces)
    return { spans: sum(this.#chunks.splice(0, traces)), key, failedAtMs: 0 }
  }

  /** An attempt that failed before and is made again is not a failure yet. */
  #takeFailed(key: string): Batch | undefined {
    const oldestMs = Date.now() - RETRY_WITHIN_MS
    this.#failed = this.#failed.filter(({ failedAtMs }) => failedAtMs >= oldestMs)
    const batch = this.#failed.find((each) => each.key === key)
    if (batch === undefined) return undefined
    this.#failed.splice(this.#failed.indexOf(batch), 1)
    this.counts.failed -= batch.spans
    this.counts.dropped -= batch.spans
    this.counts.pending += batch.spans
    return batch
  }

  readonly #onResponse = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage }
    const { statusCode = 0 } = response
    if (statusCode >= 400) this.#settle(request, `the agent answered ${statusCode}`)
    else this.#settle(request)
  }

  readonly #onError = (message: unknown): void => {
    const { request, error } = message as { request: ClientRequest; error: NodeJS.ErrnoException }
    this.#settle(request, error.code ?? error.message)
  }

  #settle(request: ClientRequest, fault?: string): void {
    const batch = this.#sending.get(request)
    if (batch !== undefined) this.#settleBatch(request, batch, fault)
    else if (request.path === PROFILES_PATH) this.#settleProfile(fault)
  }

  #settleProfile(fault: string | undefined): void {
    if (fault === undefined) {
      this.profiles.accepted += 1
      this.profiles.recentlyAccepted.add(Date.now())
    } else {
      this.profiles.failed += 1
      this.counts.lastError = { message: fault, at: new Date().toISOString() }
      diag.warn(`datadog: a profile was not taken: ${fault}`)
    }
  }

  #settleBatch(request: ClientRequest, batch: Batch, fault: string | undefined): void {
    this.#sending.delete(request)
    this.#unansweredSpans -= batch.spans
    this.counts.pending -= batch.spans
    if (fault === undefined) {
      this.counts.exported += batch.spans
    } else {
      this.counts.failed += batch.spans
      this.counts.dropped += batch.spans
      this.#failed.push({ ...batch, failedAtMs: Date.now() })
      noteLoss('datadog', this.counts, fault)
    }
  }
}

function sum(sizes: number[]): number {
  return sizes.reduce((total, size) => total + size, 0)
}
