/** What is measured against each other: the same service, watched by different means. */
import path from 'node:path'

export interface Variant {
  name: string
  /** Share of traces that is sampled; null where nothing is traced. */
  samplingRate: number | null
  settings: (sinkUrl: string) => Record<string, string>
  /** Modules to load before the service's own. */
  preloads: string[]
  hasProfiler: boolean
  /** Ours, whose cost is set against the peers'. */
  isOurs: boolean
}

const PEERS_DIR = path.join(import.meta.dirname, 'peers')
const MODULES_DIR = path.join(import.meta.dirname, 'node_modules')

export const BARE = 'bare'
/** The same once more: how far two equal things seem apart. */
export const CONTROL = 'bare, again'

/** Peers are given the easier task where there is a choice: no metrics, no logs, no remote configuration. */
export const VARIANTS: Variant[] = [
  bare(BARE),
  bare(CONTROL),
  ours('ours, spans, 10 %', 0.1, { PROFILER_ENABLED: 'false' }),
  ours('ours, spans + profiler, 10 %', 0.1),
  ours('ours, spans + profiler, 100 %', 1),
  ours('ours with the agent bridge, 10 %', 0.1, {}, agentSettings),
  openTelemetry('OpenTelemetry, 10 %', 0.1),
  openTelemetry('OpenTelemetry, 100 %', 1),
  openTelemetry('OpenTelemetry + Pyroscope, 10 %', 0.1, 'otel-pyroscope.mjs'),
  datadog('dd-trace + profiler, 10 %', 0.1),
  datadog('dd-trace + profiler, 100 %', 1)
]

function bare(name: string): Variant {
  return {
    name,
    samplingRate: null,
    settings: () => ({ TRACING_ENABLED: 'false' }),
    preloads: [],
    hasProfiler: false,
    isOurs: false
  }
}

function ours(
  name: string,
  samplingRate: number,
  settings: Record<string, string> = {},
  more: (sinkUrl: string) => Record<string, string> = () => ({})
): Variant {
  return {
    name,
    samplingRate,
    settings: (sinkUrl) => ({
      SAMPLING_RATE: String(samplingRate),
      OTEL_EXPORTER_OTLP_ENDPOINT: sinkUrl,
      ...settings,
      ...more(sinkUrl)
    }),
    preloads: [],
    hasProfiler: settings.PROFILER_ENABLED !== 'false',
    isOurs: true
  }
}

function agentSettings(sinkUrl: string): Record<string, string> {
  return { DD_TRACE_AGENT_URL: sinkUrl, DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false' }
}

function openTelemetry(name: string, samplingRate: number, preload?: string): Variant {
  return {
    name,
    samplingRate,
    settings: (sinkUrl) => ({
      TRACING_ENABLED: 'false',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: String(samplingRate),
      OTEL_EXPORTER_OTLP_ENDPOINT: sinkUrl,
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      PYROSCOPE_SERVER_ADDRESS: sinkUrl
    }),
    preloads: [
      path.join(PEERS_DIR, 'otel-hook.mjs'),
      preload === undefined
        ? path.join(MODULES_DIR, '@opentelemetry/auto-instrumentations-node/dist/register.mjs')
        : path.join(PEERS_DIR, preload)
    ],
    hasProfiler: preload !== undefined,
    isOurs: false
  }
}

function datadog(name: string, samplingRate: number): Variant {
  return {
    name,
    samplingRate,
    settings: (sinkUrl) => ({
      TRACING_ENABLED: 'false',
      ...agentSettings(sinkUrl),
      DD_TRACE_SAMPLE_RATE: String(samplingRate),
      DD_PROFILING_ENABLED: 'true',
      DD_REMOTE_CONFIGURATION_ENABLED: 'false',
      DD_TRACE_STARTUP_LOGS: 'false'
    }),
    preloads: [path.join(MODULES_DIR, 'dd-trace/initialize.mjs')],
    hasProfiler: true,
    isOurs: false
  }
}
