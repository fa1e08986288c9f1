/** Metrics of the process: CPU, memory, event loop, garbage collection. */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'

const GC_METRIC = 'nodejs_gc_duration_seconds'
const GC_BUCKETS_S = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1]
const GC_KINDS: Record<number, string> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb'
}

/**
 * Left out: the number of series of each depends on what is open just now, and their sums are gauges under the name
 * of a counter (prom-client 15.1.3).
 */
const UNSTEADY = ['handles', 'requests', 'resources'].flatMap((what) => [
  `nodejs_active_${what}`,
  `nodejs_active_${what}_total`
])

/** The library's 10 ms wake the process a hundred times a second: of a core at rest 1.2 %, with 50 ms 0.4 %. */
const EVENT_LOOP_PRECISION_MS = 20

let registry: Registry | undefined

/** The one registry of the process: what it watches is there once, however many services are built in it. */
export function getRuntimeMetrics(): Registry {
  if (registry === undefined) {
    registry = new Registry()
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS })
    for (const name of UNSTEADY) registry.removeSingleMetric(name)
    // Its own one counts only the first of the collections that it is told of at once (prom-client 15.1.3).
    registry.removeSingleMetric(GC_METRIC)
    watchCollections(registry)
  }
  return registry
}

function watchCollections(register: Registry): void {
  const durations = new Histogram({
    name: GC_METRIC,
    help: 'Garbage collections by kind',
    labelNames: ['kind'],
    buckets: GC_BUCKETS_S,
    registers: [register]
  })
  for (const kind of Object.values(GC_KINDS)) durations.zero({ kind })
  new PerformanceObserver(function onCollections(list) {
    for (const entry of list.getEntries()) {
      durations.observe({ kind: kindOf(entry) }, entry.duration / 1000)
    }
  }).observe({ entryTypes: ['gc'] })
}

function kindOf(entry: PerformanceEntry): string {
  const { kind } = (entry as PerformanceEntry & { detail: { kind: number } }).detail
  return GC_KINDS[kind] ?? 'other'
}
