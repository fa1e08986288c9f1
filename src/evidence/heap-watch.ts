/** Watches what is left on the heap after each full garbage collection: what grows there is kept by something. */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import process from 'node:process'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { estimateGrowthRate, type GrowthRate, isSustained, type TimedBytes } from './growth-rate.ts'
import { readObjectBytes } from './memory/object-bytes.ts'

/** Under load full collections come many times a second; so many points would say no more. */
const POINT_EVERY_MS = 10_000
const MAX_POINTS = 120
/** What starts to leak after hours is to show before the window has forgotten the hours. */
const RECENT_POINTS = 15
/** Until then what the start left is collected, and what every request needs is loaded. */
const SETTLED_AFTER_MS = 30_000
/** At rest none comes by itself. Ten of these points are there after two minutes; one costs some 20 ms. */
const FORCE_AFTER_MS = 11_000
const CHECK_EVERY_MS = 1000

const KINDS = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak_callbacks'
} as const
type CollectionEntry = PerformanceEntry & { detail: { kind: number } }
type CollectionKind = (typeof KINDS)[keyof typeof KINDS]

export interface Collections {
  count: number
  totalPauseMs: number
  longestPauseMs: number
}

export interface HeapReport {
  currentBytes: number
  /** The most and the least that was seen, the current value included. */
  peakBytes: number
  baselineBytes: number
  /** What the last full collection left; null before the first. */
  floorBytes: number | null
  /** What the last full collections left of objects, without what has a bound, the oldest first: `growth` is theirs. */
  floorPoints: readonly TimedBytes[]
  growth: GrowthRate
  heapLimitBytes: number
  externalBytes: number
  /** The part of the external bytes that Buffers take. */
  arrayBuffersBytes: number
  rssBytes: number
  /** Garbage collections since the watch began. */
  collections: Record<CollectionKind, Collections>
}

export interface HeapWatch {
  report(): HeapReport
  stop(): void
}

/**
 * @param readBoundedBytes what caches with a limit hold now: a floor that rises while they fill is no growth
 */
export function startHeapWatch(readBoundedBytes: () => number = () => 0): HeapWatch {
  const collections = { minor: none(), major: none(), incremental: none(), weak_callbacks: none() }
  const startedAtMs = Date.now()
  let points: TimedBytes[] = []
  let lastFloorAtMs = 0
  let floorBytes: number | null = null
  let peakBytes = 0
  let baselineBytes = Number.POSITIVE_INFINITY

  function readHeapUsed(): number {
    const { heapUsed } = process.memoryUsage()
    peakBytes = Math.max(peakBytes, heapUsed)
    baselineBytes = Math.min(baselineBytes, heapUsed)
    return heapUsed
  }

  function noteFloor(): void {
    floorBytes = readHeapUsed()
    const atMs = Date.now()
    lastFloorAtMs = atMs
    if (atMs - startedAtMs < SETTLED_AFTER_MS || atMs - (points.at(-1)?.atMs ?? 0) < POINT_EVERY_MS) return
    points = [...points, { atMs, bytes: readObjectBytes() - readBoundedBytes() }].slice(-MAX_POINTS)
  }

  function countCollection({ duration, detail }: CollectionEntry): void {
    const kind = KINDS[detail.kind as keyof typeof KINDS] as CollectionKind | undefined
    if (kind === undefined) return
    collections[kind].count += 1
    collections[kind].totalPauseMs += duration
    collections[kind].longestPauseMs = Math.max(collections[kind].longestPauseMs, duration)
    if (kind === 'major') noteFloor()
  }

  const observer = new PerformanceObserver(function onCollections(list) {
    for (const entry of list.getEntries()) countCollection(entry as CollectionEntry)
  })
  observer.observe({ entryTypes: ['gc'] })
  const collect = exposeCollector()
  const timer = setInterval(function forceWhenNoneCame() {
    // Noted at once: what comes after it is garbage again.
    if (Date.now() - lastFloorAtMs >= FORCE_AFTER_MS) void collect().then(noteFloor)
  }, CHECK_EVERY_MS).unref()
  readHeapUsed()

  return {
    report() {
      const currentBytes = readHeapUsed()
      const { external, arrayBuffers, rss } = process.memoryUsage()
      return {
        currentBytes,
        peakBytes,
        baselineBytes,
        floorBytes,
        floorPoints: points,
        growth: estimateGrowth(points),
        heapLimitBytes: getHeapStatistics().heap_size_limit,
        externalBytes: external,
        arrayBuffersBytes: arrayBuffers,
        rssBytes: rss,
        collections
      }
    },
    stop() {
      observer.disconnect()
      clearInterval(timer)
    }
  }
}

/** Of all points, unless the last few show for certain what the others still hide. */
function estimateGrowth(points: readonly TimedBytes[]): GrowthRate {
  const recent = estimateGrowthRate(points.slice(-RECENT_POINTS))
  return isSustained(recent) ? recent : estimateGrowthRate(points)
}

function none(): Collections {
  return { count: 0, totalPauseMs: 0, longestPauseMs: 0 }
}

/** A garbage collection on demand, without the flag on the command line. */
function exposeCollector(): () => Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { type: 'major'; execution: 'async' }) => Promise<void>
  return () => gc({ type: 'major', execution: 'async' })
}
