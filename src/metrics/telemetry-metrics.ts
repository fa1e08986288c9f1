/** What the telemetry tells of itself: spans by backend, sampling, the profiler's cost. */
import { reportProfilerOverhead } from '../evidence/profiler-overhead.ts'
import type { BackendCounts } from '../telemetry/backend.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { MetricRegistry } from './exposition.ts'
import { defineCounter, defineGauge } from './readings.ts'

const SPAN_COUNTERS: [name: string, help: string, field: Exclude<keyof BackendCounts, 'lastError'>][] = [
  ['apm_spans_started_total', 'Sampled spans that began', 'started'],
  ['apm_spans_exported_total', 'Spans that the backend took', 'exported'],
  [
    'apm_spans_failed_total',
    'Of the lost ones, those that the backend refused or did not answer for',
    'failed'
  ],
  [
    'apm_spans_dropped_total',
    'Spans that were lost: refused, not answered for, or no room in the queue',
    'dropped'
  ]
]

export function defineTelemetryMetrics(registry: MetricRegistry, telemetry: Telemetry): void {
  const { backends, sampler, datadog } = telemetry
  for (const [name, help, field] of SPAN_COUNTERS) {
    defineCounter(registry, {
      name,
      help,
      labelNames: ['backend'],
      read: () => backends.map(({ name, counts }) => ({ labels: { backend: name }, value: counts[field] }))
    })
  }
  defineGauge(registry, {
    name: 'apm_spans_pending',
    help: 'Spans that wait to be sent',
    labelNames: ['backend'],
    read: () => backends.map(({ name, counts }) => ({ labels: { backend: name }, value: counts.pending }))
  })
  defineGauge(registry, {
    name: 'apm_sampling_ratio',
    help: 'Share of new traces that is sampled now',
    read: () => (sampler ? [{ value: sampler.rate }] : [])
  })
  defineGauge(registry, {
    name: 'apm_profiler_overhead_ratio',
    help: "CPU time of the profiler's threads and of cutting profiles over the last minute, in cores",
    read() {
      const { pctOfCore } = reportProfilerOverhead()
      return pctOfCore === null ? [] : [{ value: pctOfCore / 100 }]
    }
  })
  defineCounter(registry, {
    name: 'apm_profiles_accepted_total',
    help: "Profiles that Datadog's agent took",
    read: () => (datadog ? [{ value: datadog.profiles.accepted }] : [])
  })
}
