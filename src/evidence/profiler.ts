/**
 * The labelled CPU profiler: one sampling profiler, started at boot, whose samples carry the active span.
 *
 * It is never stopped and started again: V8 would lose the names of optimized functions for good. A window
 * is cut out of the running profile instead.
 */
import { performance } from 'node:perf_hooks'
import pprof from '@datadog/pprof'
import type { Profile } from 'pprof-format'
import { chargeToProfiler } from './profiler-overhead.ts'
import { LABEL, SAMPLING_INTERVAL_MICROS } from './sampling.ts'

/** What the native profiler knows of one sample when it asks for its labels. */
export type SampleArgs = Parameters<NonNullable<Parameters<typeof pprof.time.stop>[1]>>[0]
export type SampleLabels = Record<string, string | number>

/**
 * Who runs the native profiler, of which a process has one. It is this module, unless somebody else needs it too:
 * whoever starts second would get an error, or nothing at all.
 */
export interface ProfilerHost {
  /** As `runWithLabel`; called only while the profiler runs. */
  runWithLabel<T>(span: object | undefined, fn: () => T): T
  /** Ends the running profile and begins the next. @returns the one that ended, with the labels that `label` gives */
  cut(label: (args: SampleArgs) => SampleLabels): Profile
}

/**
 * How long the profile runs on when nobody asks for it. A window that opens cuts off what it holds, and the cut
 * takes the longer the more that is: 35 ms after a minute, 2 ms after two seconds.
 */
const DISCARD_EVERY_MS = 2_000

/**
 * The ring of contexts is sized for twice this duration, and every other profile in the process takes slots
 * of it: at the true duration up to 80 % of the samples lose their span without a word. It has to hold what one
 * long block of the event loop leaves behind, too.
 */
const CONTEXT_RING_DURATION_MS = 720_000

/** What the profiler needs to see of a span; an OpenTelemetry SDK span has it all. */
export interface ProfiledSpan {
  spanContext(): { traceId: string; spanId: string }
  /** Absent on a non-recording span. */
  readonly name?: string
}

/**
 * The label of every span that is not recorded. When a window opens, requests that began before are still running:
 * without a label of their own their work would pass for work outside of any request.
 */
export const UNRECORDED_SPAN: ProfiledSpan = {
  name: '(not recorded)',
  spanContext: () => ({ traceId: '0'.repeat(32), spanId: '0'.repeat(16) })
}

/**
 * A profile cut after less than about two intervals makes the library restart the profiler, which pauses the
 * main thread for some 80 ms and loses optimized functions.
 */
export const MIN_PROFILE_MS = 100

/** A profile that somebody else owns is cut so often, only to learn what the telemetry costs. */
const COSTS_EVERY_MS = 4_000

/** The label of what belongs to no span. */
const NO_SPAN = {}

/** Labels with few different values, or values that many samples share. */
export const SHARED_LABELS = [LABEL.spanName, LABEL.traceId, LABEL.spanId]

const { time } = pprof
let host: ProfilerHost = { runWithLabel: runWithOwnLabel, cut: cutOwnProfile }
let unreadProfiles: Profile[] = []
let discardTimer: NodeJS.Timeout | undefined
let captureOpen = false
let lastCutAtMs = 0
let onEnd: ((profile: Profile) => void) | undefined

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
  profileBegins()
  discardTimer = setInterval(discardProfile, DISCARD_EVERY_MS).unref()
}

/** From now on the profiler is somebody else's, who started it, will stop it, and calls `profileBegins`. */
export function shareProfiler(owner: ProfilerHost): void {
  host = owner
  profileBegins()
}

/** To be called at each begin of a profile: a cut too soon after it does harm. */
export function profileBegins(): void {
  lastCutAtMs = performance.now()
}

/** True where a cut now would come too early. */
export function isProfileTooShort(): boolean {
  return performance.now() - lastCutAtMs < MIN_PROFILE_MS
}

/** A profile that its owner ended; kept for the capture that is open, if one is. */
export function profileEnds(profile: Profile): void {
  onEnd?.(profile)
  if (captureOpen) unreadProfiles.push(profile)
}

/** @param listener is given every profile that ends, whoever ended it; it must not throw */
export function onProfileEnd(listener: ((profile: Profile) => void) | undefined): void {
  onEnd = listener
}

/** Lets a profile end, where none has for some time, so that its listener learns what it holds. */
export function cutForCosts(): void {
  if (performance.now() - lastCutAtMs >= COSTS_EVERY_MS) discardProfile()
}

/** Stops the profiler for good; a restart in the same process would lose optimized functions. */
export function stopProfiler(): void {
  clearInterval(discardTimer)
  if (time.isStarted()) time.stop()
}

export function isProfilerStarted(): boolean {
  return time.isStarted()
}

/** Runs `fn` with `span`, or nothing, as the label of every sample taken in it and in what it starts. */
export function runWithLabel<T>(span: object | undefined, fn: () => T): T {
  // Without this the profiler would throw into the request.
  return time.isStarted() ? host.runWithLabel(span, fn) : fn()
}

/** Throws away what was sampled so far, but for the last moments where a cut would come too early. */
export function openCpuCapture(): void {
  captureOpen = true
  unreadProfiles = []
  if (!isProfileTooShort()) cutProfile(labelNothing)
}

/**
 * @returns the labelled profiles since about `openCpuCapture` or the last read, one sample an interval, each with
 *   its timestamp; what was sampled since the last cut is missing where that is too short ago
 */
export function readCpuCapture(): Profile[] {
  const profiles = unreadProfiles
  unreadProfiles = []
  return isProfileTooShort() ? profiles : [...profiles, cutProfile(labelSample)]
}

/** Nothing is to be read any more. */
export function closeCpuCapture(): void {
  captureOpen = false
  unreadProfiles = []
}

function discardProfile(): void {
  if (!captureOpen && time.isStarted()) cutProfile(labelNothing)
}

function cutProfile(label: typeof labelSample): Profile {
  profileBegins()
  const profile = host.cut(label)
  onEnd?.(profile)
  return profile
}

function cutOwnProfile(label: typeof labelSample): Profile {
  return chargeToProfiler(() => time.stop(true, label, SHARED_LABELS)) as unknown as Profile
}

/**
 * Not by `time.setContext`: that writes into a holder which async contexts share with the one they came from, so
 * that a child's label stayed on its parent after an await.
 */
function runWithOwnLabel<T>(span: object | undefined, fn: () => T): T {
  return time.runWithContext(span ?? NO_SPAN, fn) as T
}

function labelNothing(): SampleLabels {
  return {}
}

/** The labels of a sample whose context is the span it was taken in. */
export function labelSample({ context }: SampleArgs): SampleLabels {
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
