/** Watches what is left on the heap after each full garbage collection: what grows there is kept by something. */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import process from 'node:process'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { estimateGrowthRate, type GrowthRate, type TimedBytes } from './growth-rate.ts'

/** Under load full collections come many times a second; so many points would say no more. */
const POINT_EVERY_MS = 5_000
const MAX_POINTS = 120
/** At rest none comes by itself. */
const FORCE_AFTER_MS = 60_000

export interface HeapReport {
  currentBytes: number
  /** The most and the least that was seen, the current value included. */
  peakBytes: number
  baselineBytes: number
  /** What the last full collection left; null before the first. */
  floorBytes: number | null
  growth: GrowthRate
  heapLimitBytes: number
  externalBytes: number
  rssBytes: number
}

export interface HeapWatch {
  report(): HeapReport
  stop(): void
}

export function startHeapWatch(): HeapWatch {
  let points: TimedBytes[] = []
  let peakBytes = 0
  let baselineBytes = Number.POSITIVE_INFINITY

  function readHeapUsed(): number {
    const { heapUsed } = process.memoryUsage()
    peakBytes = Math.max(peakBytes, heapUsed)
    baselineBytes = Math.min(baselineBytes, heapUsed)
    return heapUsed
  }

  function notePoint(): void {
    const bytes = readHeapUsed()
    const atMs = Date.now()
    if (atMs - (points.at(-1)?.atMs ?? 0) < POINT_EVERY_MS) return
    points = [...points, { atMs, bytes }].slice(-MAX_POINTS)
  }

  const observer = new PerformanceObserver(function onCollections(list) {
    if (list.getEntries().some(isFullCollection)) notePoint()
  })
  observer.observe({ entryTypes: ['gc'] })
  const collect = exposeCollector()
  const timer = setInterval(function forceWhenNoneCame() {
    if (Date.now() - (points.at(-1)?.atMs ?? 0) >= FORCE_AFTER_MS) collect()
  }, FORCE_AFTER_MS).unref()
  readHeapUsed()

  return {
    report() {
      const currentBytes = readHeapUsed()
      const { external, rss } = process.memoryUsage()
      return {
        currentBytes,
        peakBytes,
        baselineBytes,
        floorBytes: points.at(-1)?.bytes ?? null,
        growth: estimateGrowthRate(points),
        heapLimitBytes: getHeapStatistics().heap_size_limit,
        externalBytes: external,
        rssBytes: rss
      }
    },
    stop() {
      observer.disconnect()
      clearInterval(timer)
    }
  }
}

function isFullCollection(entry: PerformanceEntry): boolean {
  const { kind } = (entry as PerformanceEntry & { detail: { kind: number } }).detail
  return kind === constants.NODE_PERFORMANCE_GC_MAJOR
}

/** A garbage collection on demand, without the flag on the command line. */
function exposeCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { type: 'major'; execution: 'async' }) => void
  return () => gc({ type: 'major', execution: 'async' })
}
