/** What is counted as it happens: requests, errors, and what an answer took. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Counter, Histogram } from 'prom-client'
import type { StageTime } from '../pipeline/stages.ts'
import { getCurrentTrace, type TraceReference } from '../telemetry/server-span.ts'
import type { MetricRegistry } from './exposition.ts'

/** 3 s is where the course alerts. */
const REQUEST_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30]
const STAGE_BUCKETS_S = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10]

export interface RequestMetrics {
  observeRequest(request: FastifyRequest, reply: FastifyReply): void
  observeStages(stages: readonly StageTime[]): void
  /** @param code of an error's body */
  countError(code: string): void
}

export function createRequestMetrics(registry: MetricRegistry): RequestMetrics {
  const registers = [registry]
  const requests = new Histogram<'method' | 'route' | 'status_code' | 'trace_id'>({
    name: 'http_request_duration_seconds',
    help: 'Requests from their arrival to the last byte of the answer, by route',
    labelNames: ['method', 'route', 'status_code'],
    buckets: REQUEST_BUCKETS_S,
    enableExemplars: true,
    registers
  })
  const stages = new Histogram<'stage' | 'trace_id'>({
    name: 'rag_stage_duration_seconds',
    help: 'Stages of the queries that were answered',
    labelNames: ['stage'],
    buckets: STAGE_BUCKETS_S,
    enableExemplars: true,
    registers
  })
  const errors = new Counter({
    name: 'http_request_errors_total',
    help: 'Requests that were refused or failed, by the code in the answer',
    labelNames: ['code'],
    registers
  })

  return {
    observeRequest(request, reply) {
      requests.observe({
        labels: { ...describeRoute(request), status_code: String(reply.statusCode) },
        value: reply.elapsedTime / 1000,
        ...exemplarOf(getCurrentTrace())
      })
    },
    observeStages(times) {
      const exemplar = exemplarOf(getCurrentTrace())
      for (const { name, duration_ms } of times) {
        stages.observe({ labels: { stage: name }, value: duration_ms / 1000, ...exemplar })
      }
    },
    countError(code) {
      errors.inc({ code })
    }
  }
}

/** Labels have to be few: what no route takes is one, whatever its path, and so are the files of the pages. */
function describeRoute({ is404, method, routeOptions }: FastifyRequest) {
  if (is404) return { method: 'any', route: 'unknown' }
  const schema = routeOptions.schema as { hide?: boolean } | undefined
  return { method, route: schema?.hide ? 'page' : (routeOptions.url ?? 'unknown') }
}

/** A way from a slow bucket to a trace that was kept. */
function exemplarOf(trace: TraceReference | undefined) {
  return trace?.isSampled ? { exemplarLabels: { trace_id: trace.traceId } } : {}
}
