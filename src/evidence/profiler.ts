/**
 * The labelled CPU profiler: one sampling profiler, started at boot, whose samples carry the active span.
 *
 * It is never stopped and started again: V8 would lose the names of optimized functions for good. A window
 * is cut out of the running profile instead.
 */
import { performance } from 'node:perf_hooks'
import pprof from '@datadog/pprof'
import type { Profile } from 'pprof-format'

/** 99 Hz: off the beat of timers that fire every 10 ms. */
export const SAMPLING_INTERVAL_MICROS = 10_101

/** How long the profile runs on when nobody asks for it; bounds its memory. */
const DISCARD_EVERY_MS = 60_000

/**
 * The ring of contexts is sized for twice this duration, and every other profile in the process takes slots
 * of it: at the true duration up to 80 % of the samples lose their span without a word.
 */
const CONTEXT_RING_DURATION_MS = 12 * DISCARD_EVERY_MS

/** Label names: Datadog's and Pyroscope's spellings side by side, since each reader looks for its own. */
export const LABEL = {
  spanId: 'span_id',
  traceId: 'trace_id',
  spanName: 'span name',
  timestampMicros: 'end_timestamp_us'
} as const

/** What the profiler needs to see of a span; an OpenTelemetry SDK span has it all. */
export interface ProfiledSpan {
  spanContext(): { traceId: string; spanId: string }
  /** Absent on a non-recording span: its samples stay without a label. */
  readonly name?: string
}

/**
 * A profile cut after less than about two intervals makes the library restart the profiler, which pauses the
 * main thread for some 80 ms and loses optimized functions.
 */
export const MIN_PROFILE_MS = 100

/** The label of what belongs to no span. */
const NO_SPAN = {}

const { time } = pprof
let discardTimer: NodeJS.Timeout | undefined
let captureOpen = false
let lastCutAtMs = 0

/** Starts the profiler. Call once, before the first span. */
export function startProfiler(): void {
  time.start({
    intervalMicros: SAMPLING_INTERVAL_MICROS,
    durationMillis: CONTEXT_RING_DURATION_MS,
    withContexts: true,
    useCPED: true,
    collectCpuTime: true,
    // true pauses the main thread 16-38 ms at every stop, false about 1 ms.
    workaroundV8Bug: false
  })
  lastCutAtMs = performance.now()
  discardTimer = setInterval(discardProfile, DISCARD_EVERY_MS).unref()
}

/** Stops the profiler for good; a restart in the same process would lose optimized functions. */
export function stopProfiler(): void {
  clearInterval(discardTimer)
  if (time.isStarted()) time.stop()
}

export function isProfilerStarted(): boolean {
  return time.isStarted()
}

/**
 * Runs `fn` with `span`, or nothing, as the label of every sample taken in it and in what it starts.
 *
 * Not by `time.setContext`: that writes into a holder which async contexts share with the one they came from, so
 * that a child's label stayed on its parent after an await.
 */
export function runWithLabel<T>(span: object | undefined, fn: () => T): T {
  // runWithContext throws when the profiler does not run, and it would throw into the request.
  return time.isStarted() ? (time.runWithContext(span ?? NO_SPAN, fn) as T) : fn()
}

/** Throws away what was sampled so far, but for the last moments where a cut would come too early. */
export function openCpuCapture(): void {
  captureOpen = true
  if (performance.now() - lastCutAtMs >= MIN_PROFILE_MS) cutProfile(labelNothing)
}

/**
 * @returns the labelled profile since about `openCpuCapture` or the last read, one sample an interval, each with
 *   its timestamp; undefined when the last read is too short ago
 */
export function readCpuCapture(): Profile | undefined {
  return performance.now() - lastCutAtMs >= MIN_PROFILE_MS ? cutProfile(labelSample) : undefined
}

/** Nothing is to be read any more. */
export function closeCpuCapture(): void {
  captureOpen = false
}

function discardProfile(): void {
  if (!captureOpen && time.isStarted()) cutProfile(labelNothing)
}

function cutProfile(label: typeof labelSample): Profile {
  lastCutAtMs = performance.now()
  return time.stop(true, label, [LABEL.spanName, LABEL.traceId, LABEL.spanId]) as unknown as Profile
}

function labelNothing(): Record<string, never> {
  return {}
}

interface SampleContext {
  context?: object
  timestamp: bigint
}

function labelSample({ context }: { context?: SampleContext }): Record<string, string | number> {
  if (context === undefined) return {}
  const timestamp = { [LABEL.timestampMicros]: Number(context.timestamp) }
  const span = context.context as ProfiledSpan | undefined
  if (span?.name === undefined) return timestamp
  const { traceId, spanId } = span.spanContext()
  return {
    ...timestamp,
    [LABEL.traceId]: traceId,
    [LABEL.spanId]: spanId,
    [LABEL.spanName]: span.name
  }
}
