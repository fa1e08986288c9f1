/**
 * The way to a Datadog agent. Imported only when there is one: loading dd-trace costs more than all else at start.
 */
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import pprof from '@datadog/pprof'
import { diag } from '@opentelemetry/api'
import type { SpanProcessor } from '@opentelemetry/sdk-trace'
import tracer from 'dd-trace'
import type { Config } from '../config.ts'
import { tapProfiler } from '../evidence/tapped-profiler.ts'
import type { BackendCounts } from './backend.ts'
import { DatadogDeliveries, type ProfileCounts } from './datadog-deliveries.ts'
import { DatadogSpans, MAX_CHUNK_SPANS } from './datadog-spans.ts'
import type { HourCount } from './hour-count.ts'

/** An agent that does not answer must not hold the process up. */
const SHUTDOWN_TIMEOUT_MS = 2500
const SHUTDOWN_POLL_MS = 10
const GAUGES_EVERY_MS = 10_000

type DatadogConfig = Pick<
  Config,
  'datadogAgentUrl' | 'datadogProfilingEnabled' | 'serviceName' | 'environment' | 'version'
>

export interface Datadog {
  readonly name: 'datadog'
  readonly counts: BackendCounts
  readonly profiles: ProfileCounts
  readonly spanCount: HourCount
  /** Mirrors sampled spans; its shutdown sends what is queued, in 2.5 s at most. */
  readonly processor: SpanProcessor
  /** Datadog's profiler runs, and ours is tapped from it. */
  isProfiling(): boolean
  /** Reports what `read` returns, by name, every 10 s (which is how often dd-trace sends it) and at the end. */
  reportGauges(read: () => Record<string, number>): void
}

/**
 * Starts dd-trace, and its profiler where that is wanted. Must run before any other profiler is started.
 * @throws Error when dd-trace brought a second copy of the native profiler, which would crash the process
 */
export function startDatadog(config: DatadogConfig): Datadog {
  const deliveries = new DatadogDeliveries()
  deliveries.start()
  const spans = new DatadogSpans(tracer, deliveries)

  function startTracer(): void {
    tracer.init({
      ...(config.datadogAgentUrl && { url: config.datadogAgentUrl }),
      service: config.serviceName,
      env: config.environment,
      version: config.version,
      profiling: config.datadogProfilingEnabled,
      runtimeMetrics: true,
      flushMinSpans: MAX_CHUNK_SPANS,
      // Spans come from OpenTelemetry alone.
      plugins: false,
      startupLogs: false
    })
  }

  if (config.datadogProfilingEnabled) {
    requireOneNativeProfiler()
    tapProfiler(spans, startTracer, (error) => diag.error('joining a profile for Datadog failed', error))
  } else startTracer()
  const hasProfiler = pprof.time.isStarted()

  let reportNow = () => {}
  function reportGauges(read: () => Record<string, number>): void {
    reportNow = function sendGauges() {
      for (const [name, value] of Object.entries(read())) tracer.dogstatsd.gauge(name, value)
    }
    setInterval(reportNow, GAUGES_EVERY_MS).unref()
  }

  return {
    name: 'datadog',
    counts: deliveries.counts,
    profiles: deliveries.profiles,
    spanCount: deliveries.spanCount,
    processor: {
      onStart: (span, context) => spans.onStart(span, context),
      onEnd: (span) => spans.onEnd(span),
      forceFlush: () => spans.forceFlush(),
      async shutdown() {
        await spans.shutdown()
        reportNow()
        await flush(deliveries, hasProfiler && pprof.time.isStarted())
        deliveries.stop()
      }
    },
    isProfiling: () => hasProfiler && pprof.time.isStarted(),
    reportGauges
  }
}

function requireOneNativeProfiler(): void {
  const require = createRequire(import.meta.url)
  const theirs = createRequire(require.resolve('dd-trace'))('@datadog/pprof')
  if (theirs !== require('@datadog/pprof')) {
    throw new Error('dd-trace and this package need the same version of @datadog/pprof: run npm ci')
  }
}

/** dd-trace sends what it has left when the process is about to exit; no other call of it does. */
async function flush(deliveries: DatadogDeliveries, isProfiling: boolean): Promise<void> {
  let isProfileSent = !isProfiling
  subscribe('datadog:profiling:profile-submitted', function noteProfile() {
    isProfileSent = true
  })
  const deadlineMs = Date.now() + SHUTDOWN_TIMEOUT_MS
  process.emit('beforeExit', 0)
  while ((!isProfileSent || deliveries.counts.pending > 0) && Date.now() < deadlineMs) {
    await delay(SHUTDOWN_POLL_MS)
  }
}
