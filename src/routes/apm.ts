import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { isProfilerStarted } from '../evidence/profiler.ts'
import { reportProfilerOverhead } from '../evidence/profiler-overhead.ts'
import { estimateMonthlyCost } from '../telemetry/monthly-cost.ts'
import type { OverheadGuard } from '../telemetry/overhead-guard.ts'
import { STEPS } from '../telemetry/overhead-steps.ts'
import { redactAddress } from '../telemetry/redaction.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

const configSchema = z.object({
  service: z.string(),
  environment: z.string(),
  version: z.string(),
  tracing_enabled: z.boolean(),
  sampling_rate: z.number(),
  high_traffic: z.object({ requests_per_hour: z.number(), sampling_rate: z.number() }),
  otlp_endpoint: z.string().nullable(),
  jaeger_ui_url: z.string(),
  datadog: z.object({
    agent_url: z.string().nullable(),
    site: z.string(),
    api_key_set: z.boolean(),
    profiling_enabled: z.boolean(),
    profiling_max_time_usage_pct: z.number()
  }),
  capture_content: z.boolean(),
  diagnosis_min_cpu_ms: z.number(),
  slow_request_ms: z.number()
})

const usd = z.number().describe('USD a month')

const metricsSchema = z.object({
  backends: z.array(
    z.object({
      name: z.string(),
      started: z.int(),
      exported: z.int(),
      dropped: z.int().describe('all that is lost: refused, not answered, or the queue was full'),
      failed: z.int().describe('of those, what was sent and refused by the backend, or not answered'),
      pending: z.int(),
      last_error: z.object({ message: z.string(), at: z.string() }).nullable()
    })
  ),
  sampling: z.object({
    effective_rate: z.number().describe('share of new traces that is sampled now'),
    requests_last_hour: z.int().describe('traced requests of the last 60 minutes, not extrapolated')
  }),
  profiler: z.object({
    running: z.boolean(),
    owner: z.enum(['service', 'datadog']).nullable().describe('whose it is, where it runs'),
    profiles_accepted: z.int().describe("by Datadog's agent"),
    profiles_accepted_last_hour: z.int(),
    profiles_failed: z.int()
  }),
  profiler_overhead_pct: z
    .number()
    .optional()
    .describe(
      "CPU time of the profiler's threads and of cutting profiles, in % of a core over the last minute; without " +
        'the interruptions themselves, some microseconds a sample. Absent where the platform does not tell'
    ),
  overhead_guard: z.object({
    state: z
      .enum(['ok', 'shedding', 'profiler_stopped', 'off'])
      .describe('off: there is no profiler, which the figure is read from'),
    telemetry_pct_of_core: z
      .number()
      .nullable()
      .describe('what spans, exporters and profilers cost together, in % of a core over the last 8 s'),
    limit_pct: z.number().describe('DD_PROFILING_MAX_TIME_USAGE_PCT'),
    shed: z
      .array(z.enum(STEPS))
      .describe('what is given up to stay below the limit; the profiler until a restart')
  }),
  estimated_monthly_cost_usd: usd.describe("what Datadog's agent is sent, at the course's prices"),
  monthly_cost: z.object({
    hosts_usd: usd.describe('15 a host'),
    spans_usd: usd.describe('5 a million'),
    profiled_hosts_usd: usd.describe('31 a profiled host'),
    spans_per_month: z.number().describe('730 times those of the last 60 minutes'),
    warnings: z.array(z.string()).describe('from 100 and from 200 USD')
  })
})

export interface ApmDeps {
  config: Config
  telemetry: Telemetry
  overheadGuard: OverheadGuard
}

export const apmRoutes: FastifyPluginAsyncZod<ApmDeps> = async (
  app,
  { config, telemetry, overheadGuard }
) => {
  app.get(
    '/apm/config',
    { schema: { summary: 'The effective telemetry settings', response: { 200: configSchema } } },
    async function showConfig() {
      return {
        service: config.serviceName,
        environment: config.environment,
        version: config.version,
        tracing_enabled: config.tracingEnabled,
        sampling_rate: config.samplingRate,
        high_traffic: {
          requests_per_hour: config.highTrafficRequestsPerHour,
          sampling_rate: config.highTrafficSamplingRate
        },
        otlp_endpoint: addressOrNull(config.otlpEndpoint),
        jaeger_ui_url: redactAddress(config.jaegerUiUrl),
        datadog: {
          agent_url: addressOrNull(config.datadogAgentUrl),
          site: config.datadogSite,
          api_key_set: config.datadogApiKey !== undefined,
          profiling_enabled: config.datadogProfilingEnabled,
          profiling_max_time_usage_pct: config.profilingMaxTimeUsagePct
        },
        capture_content: config.captureContent,
        diagnosis_min_cpu_ms: config.diagnosisMinCpuMs,
        slow_request_ms: config.slowRequestMs
      }
    }
  )

  app.get(
    '/apm/metrics',
    { schema: { summary: 'What became of the spans', response: { 200: metricsSchema } } },
    async function showMetrics() {
      return {
        backends: telemetry.backends.map(({ name, counts }) => {
          const { lastError, ...numbers } = counts
          return { name, ...numbers, last_error: lastError }
        }),
        sampling: {
          effective_rate: telemetry.sampler?.rate ?? 0,
          requests_last_hour: telemetry.requestCount.lastHour(Date.now())
        },
        ...reportProfiler(telemetry),
        overhead_guard: reportGuard(overheadGuard),
        ...reportCost(telemetry)
      }
    }
  )
}

function reportProfiler({ datadog }: Telemetry) {
  const running = isProfilerStarted()
  const { pctOfCore } = reportProfilerOverhead()
  return {
    profiler: {
      running,
      owner: running ? (datadog?.isProfiling() ? ('datadog' as const) : ('service' as const)) : null,
      profiles_accepted: datadog?.profiles.accepted ?? 0,
      profiles_accepted_last_hour: datadog?.profiles.recentlyAccepted.lastHour(Date.now()) ?? 0,
      profiles_failed: datadog?.profiles.failed ?? 0
    },
    ...(pctOfCore === null ? {} : { profiler_overhead_pct: Number(pctOfCore.toFixed(3)) })
  }
}

function reportGuard(guard: OverheadGuard) {
  const { state, telemetryPctOfCore, limitPct, shed } = guard.report()
  return { state, telemetry_pct_of_core: telemetryPctOfCore, limit_pct: limitPct, shed }
}

function reportCost({ datadog }: Telemetry) {
  const cost = estimateMonthlyCost({
    spansLastHour: datadog?.spanCount.lastHour(Date.now()) ?? 0,
    hasAgent: datadog !== undefined,
    isProfiling: datadog?.isProfiling() ?? false
  })
  return {
    estimated_monthly_cost_usd: cost.totalUsd,
    monthly_cost: {
      hosts_usd: cost.hostsUsd,
      spans_usd: cost.spansUsd,
      profiled_hosts_usd: cost.profiledHostsUsd,
      spans_per_month: cost.spansPerMonth,
      warnings: cost.warnings
    }
  }
}

function addressOrNull(address: string | undefined): string | null {
  return address === undefined ? null : redactAddress(address)
}
