import type { Telemetry } from '../telemetry/telemetry.ts'
import { createRegistry, type Exposition, expose } from './exposition.ts'
import { createRequestMetrics, type RequestMetrics } from './request-metrics.ts'
import { getRuntimeMetrics } from './runtime-metrics.ts'
import { defineServiceMetrics, type ServiceMetricsDeps } from './service-metrics.ts'
import { defineTelemetryMetrics } from './telemetry-metrics.ts'

export interface Metrics extends RequestMetrics {
  /** @param accept the request's header */
  expose(accept: string | undefined): Promise<Exposition>
}

/** All that `GET /metrics` shows. Labels come from the code and the settings alone, never from a request. */
export function createMetrics(deps: ServiceMetricsDeps & { telemetry: Telemetry }): Metrics {
  const registry = createRegistry()
  const requestMetrics = createRequestMetrics(registry)
  defineServiceMetrics(registry, deps)
  defineTelemetryMetrics(registry, deps.telemetry)
  const runtimeMetrics = getRuntimeMetrics()
  return {
    ...requestMetrics,
    expose: (accept) => expose([registry, runtimeMetrics], accept)
  }
}
