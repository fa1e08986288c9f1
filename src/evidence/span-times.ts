/**
 * Splits a span's own time (its duration less its children's) into what the profile can tell apart: own CPU,
 * event loop busy with somebody else's work, and idle waiting.
 */
import { SpanKind } from '@opentelemetry/api'
import { fitWaitGrowth, type Growth } from './complexity.ts'
import type { CpuSample } from './cpu-samples.ts'
import { SAMPLING_INTERVAL_MICROS } from './sampling.ts'
import type { RecordedSpan } from './span-recorder.ts'
import { OUTSIDE_SPANS, type SpanTree, statementOf } from './span-tree.ts'
import { addTo } from './tally.ts'

/** Means per span of one name, in ms. */
export interface SpanTimes {
  name: string
  count: number
  durationMs: number
  ownCpuMs: number
  busyWithOthersMs: number
  /** What those others were: span name → ms. */
  busyWith: Map<string, number>
  idleMs: number
  /** How the idle time grows with a size of the span. */
  idleGrowth?: Growth | undefined
  /** True where it asks a language model, whose answers take their time. */
  isModelCall: boolean
  children: ChildTimes[]
}

export interface ChildTimes {
  name: string
  kind: number
  /** True for database statements. */
  isStatement: boolean
  /** Of an HTTP request. */
  httpMethod: string | undefined
  /** How many such children a parent has, on the mean. */
  perParent: number
  /** The part of the parent's duration that is covered by them, in ms. */
  coveredMs: number
  /** The part of that in which the event loop had nothing else to do. */
  idleMs: number
  /** How `coveredMs` grows with a size of the parent; of client spans. */
  growth?: Growth | undefined
}

interface Interval {
  startMs: number
  endMs: number
}

/** @returns the times of every span name, the longest first */
export function measureSpanTimes(tree: SpanTree, samples: readonly CpuSample[]): SpanTimes[] {
  const ownWallMs = sumBySpan(samples, 'wallMs')
  const ownCostMs = sumBySpan(samples, 'costMs')
  return [...tree.byName]
    .map(([name, spans]) => measureName(name, finishedOrAll(spans), tree, samples, { ownWallMs, ownCostMs }))
    .sort((a, b) => b.durationMs - a.durationMs)
}

/** A span that still runs has no duration yet; where all do, what was seen of them has to do. */
function finishedOrAll(spans: RecordedSpan[]): RecordedSpan[] {
  const finished = spans.filter(({ ended }) => ended)
  return finished.length > 0 ? finished : spans
}

function sumBySpan(samples: readonly CpuSample[], value: 'wallMs' | 'costMs'): Map<string, number> {
  const bySpan = new Map<string, number>()
  for (const sample of samples) {
    const { spanId } = sample
    if (spanId !== undefined) addTo(bySpan, spanId, sample[value])
  }
  return bySpan
}

function measureName(
  name: string,
  spans: RecordedSpan[],
  tree: SpanTree,
  samples: readonly CpuSample[],
  { ownWallMs, ownCostMs }: Record<'ownWallMs' | 'ownCostMs', Map<string, number>>
): SpanTimes {
  let durationMs = 0
  let ownCpuMs = 0
  let busyWithOthersMs = 0
  let idleMs = 0
  const busyWith = new Map<string, number>()
  const idleBySpan = new Map<RecordedSpan, number>()
  for (const span of spans) {
    const own = ownWallMs.get(span.spanId) ?? 0
    const selfIntervals = subtract(span, tree.childrenOf(span))
    const seen = observe(selfIntervals, span.spanId, samples)
    const restMs = Math.max(total(selfIntervals) - own, 0)
    const others = Math.min(seen.othersMs, restMs)
    durationMs += span.endMs - span.startMs
    ownCpuMs += ownCostMs.get(span.spanId) ?? 0
    busyWithOthersMs += others
    // Not simply the rest: on a crowded machine a thread that gets no core is sampled neither busy nor idle.
    const idle = Math.min(seen.idleMs, restMs - others)
    idleMs += idle
    idleBySpan.set(span, idle)
    for (const [otherId, ms] of seen.others) {
      const other = otherId === undefined ? OUTSIDE_SPANS : tree.find(otherId)?.name
      if (other !== undefined) addTo(busyWith, other, ms / spans.length)
    }
  }
  const count = spans.length
  return {
    name,
    count,
    durationMs: durationMs / count,
    ownCpuMs: ownCpuMs / count,
    busyWithOthersMs: busyWithOthersMs / count,
    busyWith,
    idleMs: idleMs / count,
    idleGrowth: fitWaitGrowth(spans, (span) => idleBySpan.get(span) ?? 0),
    isModelCall: spans.some(isModelCall),
    children: measureChildren(spans, tree, samples)
  }
}

/** By OpenTelemetry's semantic conventions for generative AI. */
function isModelCall({ attributes }: RecordedSpan): boolean {
  return Object.keys(attributes).some((name) => name.startsWith('gen_ai.'))
}

function measureChildren(spans: RecordedSpan[], tree: SpanTree, samples: readonly CpuSample[]): ChildTimes[] {
  const names = new Set(spans.flatMap((span) => tree.childrenOf(span).map(({ name }) => name)))
  return [...names]
    .map((name) => measureChild(name, spans, tree, samples))
    .sort((a, b) => b.coveredMs - a.coveredMs)
}

function measureChild(
  childName: string,
  spans: RecordedSpan[],
  tree: SpanTree,
  samples: readonly CpuSample[]
): ChildTimes {
  const intervals = new Map<RecordedSpan, Interval[]>()
  let count = 0
  let coveredMs = 0
  let idleMs = 0
  let first: RecordedSpan | undefined
  for (const span of spans) {
    const children = tree.childrenOf(span).filter(({ name }) => name === childName)
    const covered = union(children)
    intervals.set(span, covered)
    first ??= children[0]
    count += children.length
    coveredMs += total(covered)
    idleMs += idleMsWithin(covered, samples)
  }
  const { kind, attributes } = first as RecordedSpan
  return {
    name: childName,
    kind,
    isStatement: statementOf(first as RecordedSpan) !== undefined,
    httpMethod: httpMethodOf(attributes),
    perParent: count / spans.length,
    coveredMs: coveredMs / spans.length,
    idleMs: idleMs / spans.length,
    growth:
      kind === SpanKind.CLIENT ? fitWaitGrowth(spans, (span) => total(intervals.get(span) ?? [])) : undefined
  }
}

/** By today's and by yesterday's semantic conventions. */
function httpMethodOf(attributes: RecordedSpan['attributes']): string | undefined {
  const method = attributes['http.request.method'] ?? attributes['http.method']
  return method === undefined ? undefined : String(method)
}

/** @returns the parts of `whole` that no interval of `holes` covers */
function subtract(whole: Interval, holes: readonly Interval[]): Interval[] {
  const rest: Interval[] = []
  let from = whole.startMs
  for (const hole of union(holes)) {
    if (hole.startMs > from) rest.push({ startMs: from, endMs: Math.min(hole.startMs, whole.endMs) })
    from = Math.max(from, hole.endMs)
  }
  if (from < whole.endMs) rest.push({ startMs: from, endMs: whole.endMs })
  return rest
}

function union(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = []
  for (const { startMs, endMs } of intervals.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1)
    if (last && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs)
    else merged.push({ startMs, endMs })
  }
  return merged
}

function total(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
}

/** @returns how long the event loop was seen idle within the intervals, in ms */
export function idleMsWithin(intervals: Interval[], samples: readonly CpuSample[]): number {
  return Math.min(observe(intervals, undefined, samples).idleMs, total(intervals))
}

/** What the samples within `intervals` say of the loop: busy with anything but this span, or idle. */
function observe(intervals: Interval[], spanId: string | undefined, samples: readonly CpuSample[]) {
  const others = new Map<string | undefined, number>()
  let othersMs = 0
  let idleMs = 0
  for (const { startMs, endMs } of intervals) {
    for (let i = firstAtOrAfter(samples, startMs); i < samples.length; i++) {
      const sample = samples[i] as CpuSample
      if (sample.timestampMicros / 1000 > endMs) break
      if (sample.wallMs === 0) idleMs += SAMPLING_INTERVAL_MICROS / 1000
      else if (sample.spanId !== spanId) {
        othersMs += sample.wallMs
        addTo(others, sample.spanId, sample.wallMs)
      }
    }
  }
  return { othersMs, others, idleMs }
}

function firstAtOrAfter(samples: readonly CpuSample[], timeMs: number): number {
  let low = 0
  let high = samples.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((samples[middle] as CpuSample).timestampMicros / 1000 < timeMs) low = middle + 1
    else high = middle
  }
  return low
}
