import type { HeapWatch } from '../evidence/heap-watch.ts'
import { reportProfilerOverhead } from '../evidence/profiler-overhead.ts'
import type { Telemetry } from './telemetry.ts'

const BYTES_PER_MB = 2 ** 20

/** The service's own gauges by name, for whoever collects metrics. */
export function readGauges(heapWatch: HeapWatch, telemetry: Telemetry): Record<string, number> {
  const { currentBytes, baselineBytes } = heapWatch.report()
  const { pctOfCore } = reportProfilerOverhead()
  return {
    'memory.current_mb': currentBytes / BYTES_PER_MB,
    'memory.growth_mb': (currentBytes - baselineBytes) / BYTES_PER_MB,
    'requests.last_hour': telemetry.requestCount.lastHour(Date.now()),
    ...(telemetry.sampler && { 'sampling.effective_rate': telemetry.sampler.rate }),
    ...(pctOfCore === null ? {} : { 'profiler.overhead_pct': pctOfCore })
  }
}
