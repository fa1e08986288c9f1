import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { SpanProcessor } from '@opentelemetry/sdk-trace'
import { ATTR_DEPLOYMENT_ENVIRONMENT_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import type { Config } from '../config.ts'
import { spanRecorder } from '../evidence/span-recorder.ts'
import { statementLog } from '../evidence/sql/statement-log.ts'
import { Backend, type BackendCounts } from './backend.ts'
import { ProfiledContextManager } from './context-manager.ts'
import type { Datadog } from './datadog.ts'
import { HourCount } from './hour-count.ts'
import { createInstrumentations } from './instrumentations.ts'
import { profileLink } from './profile-link.ts'
import { RecentTraces } from './recent-traces.ts'
import { redactionProcessor } from './redaction.ts'
import { AdjustableSampler } from './sampler.ts'
import { createTrafficRate, type RateChange } from './traffic-rate.ts'

/** A dead backend holds its exporter's shutdown for 8-10 s; the process should not wait for it. */
const SHUTDOWN_TIMEOUT_MS = 2500
const ADJUST_RATE_EVERY_MS = 60_000

/** What the service asks of its own tracing. */
export interface Telemetry {
  /** Absent when tracing is off. */
  readonly sampler?: AdjustableSampler
  /** Traced requests. */
  readonly requestCount: HourCount
  /** To be called for each traced request, before it is decided whether it is sampled. Absent when tracing is off. */
  readonly countRequest?: () => void
  readonly recentTraces: RecentTraces
  readonly backends: readonly { readonly name: string; readonly counts: BackendCounts }[]
  /** Present when an agent is set. */
  readonly datadog?: Datadog
  /** Sends what is queued and ends, in 2.5 s at most; never rejects. */
  shutdown(): Promise<void>
}

type TracingConfig = Pick<
  Config,
  | 'tracingEnabled'
  | 'samplingRate'
  | 'highTrafficRequestsPerHour'
  | 'highTrafficSamplingRate'
  | 'otlpEndpoint'
  | 'serviceName'
  | 'environment'
  | 'version'
>

/**
 * Starts OpenTelemetry. Must run before pg is loaded, or it stays without spans.
 * @param extras.spanProcessors see every recorded span after redaction; a test's in-memory exporter, for one
 * @param extras.datadog the way to Datadog's agent, where there is one
 * @param extras.onRateChange is told when traffic lowers the sampling rate, and when that is over
 */
export function startTelemetry(
  config: TracingConfig,
  extras: {
    spanProcessors?: SpanProcessor[]
    datadog?: Datadog | undefined
    onRateChange?: (change: RateChange) => void
  } = {}
): Telemetry {
  const { spanProcessors: extraProcessors = [], datadog, onRateChange = () => {} } = extras
  const recentTraces = new RecentTraces()
  const requestCount = new HourCount()
  if (!config.tracingEnabled) return { recentTraces, requestCount, backends: [], shutdown: async () => {} }

  const sampler = new AdjustableSampler(config.samplingRate, spanRecorder)
  const otlp = config.otlpEndpoint === undefined ? [] : [createOtlpBackend(config.otlpEndpoint)]

  const { countRequest, adjustRate } = createTrafficRate(config, requestCount, sampler, onRateChange)
  const adjusting = setInterval(adjustRate, ADJUST_RATE_EVERY_MS).unref()
  const spanProcessors = [
    profileLink,
    redactionProcessor,
    recentTraces,
    spanRecorder,
    statementLog,
    ...otlp,
    ...(datadog ? [datadog.processor] : []),
    ...extraProcessors
  ]
  new NodeSDK({
    serviceName: config.serviceName,
    resource: resourceFromAttributes({
      [ATTR_SERVICE_VERSION]: config.version,
      [ATTR_DEPLOYMENT_ENVIRONMENT_NAME]: config.environment
    }),
    // The default ones also report the command line and the user of this process.
    resourceDetectors: [envDetector],
    contextManager: new ProfiledContextManager(),
    // No baggage: what a caller puts there would be passed on to the model's provider.
    textMapPropagator: new W3CTraceContextPropagator(),
    sampler,
    spanProcessors,
    // Left out, these two would start exporters of their own to localhost.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: createInstrumentations()
  }).start()

  return {
    sampler,
    recentTraces,
    requestCount,
    countRequest,
    backends: [...otlp, ...(datadog ? [datadog] : [])],
    ...(datadog && { datadog }),
    shutdown() {
      clearInterval(adjusting)
      return shutdownAll(spanProcessors)
    }
  }
}

function createOtlpBackend(endpoint: string): Backend {
  return new Backend('otlp', new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }))
}

async function shutdownAll(processors: SpanProcessor[]): Promise<void> {
  const { promise: timeUp, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, SHUTDOWN_TIMEOUT_MS)
  await Promise.race([Promise.allSettled(processors.map((each) => each.shutdown())), timeUp])
  clearTimeout(timer)
}
