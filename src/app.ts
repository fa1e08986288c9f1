import { randomUUID } from 'node:crypto'
import fastify, { type FastifyBaseLogger } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { createAdmission } from './admission.ts'
import type { Config } from './config.ts'
import { CostLedger } from './costs/cost-ledger.ts'
import type { Database } from './database/database.ts'
import type { IndexAdvisor } from './database/index-advisor.ts'
import type { Diagnostician } from './diagnosis/run-diagnosis.ts'
import { createDrain } from './drain.ts'
import { createErrorHandler } from './error-handler.ts'
import type { HeapWatch } from './evidence/heap-watch.ts'
import type { SourceTree } from './evidence/source-tree.ts'
import type { FaultRegistry } from './faults.ts'
import { FeedbackBook } from './feedback/feedback-book.ts'
import type { LeakChecker } from './leak-check/leak-checker.ts'
import { createMetrics } from './metrics/metrics.ts'
import type { ModelClient } from './model/client.ts'
import { RequestLog } from './request-log.ts'
import { apmRoutes } from './routes/apm.ts'
import { answerMalformedRequest } from './routes/client-error.ts'
import { costRoutes } from './routes/costs.ts'
import { diagnosisRoutes } from './routes/diagnosis.ts'
import { registerDocs } from './routes/docs.ts'
import { faultRoutes } from './routes/faults.ts'
import { feedbackRoutes } from './routes/feedback.ts'
import { createGuard } from './routes/guard.ts'
import { healthRoutes } from './routes/health.ts'
import { leakCheckRoutes, memoryRoutes } from './routes/memory.ts'
import { metricRoutes } from './routes/metrics.ts'
import { pageRoutes } from './routes/page.ts'
import { pprofRoutes } from './routes/pprof.ts'
import { queryRoutes } from './routes/query.ts'
import { registerSecurityHeaders } from './routes/security-headers.ts'
import { sqlRoutes } from './routes/sql.ts'
import { traceRoutes } from './routes/traces.ts'
import { collectRoutes } from './routes/unknown-route.ts'
import type { OverheadGuard } from './telemetry/overhead-guard.ts'
import { createServerSpanHook } from './telemetry/request-spans.ts'
import type { Telemetry } from './telemetry/telemetry.ts'

const BODY_LIMIT_BYTES = 64 * 1024
/** How often Node looks for those that took longer; every 30 s unless told. */
const TIMEOUT_CHECK_MS = 1_000

export interface AppDeps {
  logger: FastifyBaseLogger
  telemetry: Telemetry
  database: Database
  model: ModelClient
  faults: FaultRegistry
  heapWatch: HeapWatch
  leakChecker: LeakChecker
  /** Absent when tracing is off. */
  diagnostician?: Diagnostician | undefined
  sources: SourceTree
  indexAdvisor: IndexAdvisor
  overheadGuard: OverheadGuard
}

/** Builds the HTTP service on what it is given; it neither listens nor opens anything itself. */
export async function buildApp(config: Config, deps: AppDeps) {
  const feedback = new FeedbackBook()
  const costs = new CostLedger(config.modelPrices, config.tenantPlans)
  const admission = createAdmission({
    maxConcurrent: config.maxConcurrentQueries,
    maxWaiting: config.maxWaitingQueries,
    maxWaitMs: config.queryTimeoutMs / 2
  })
  const metrics = createMetrics({ admission, costs, feedback, ...deps })
  const app = fastify({
    loggerInstance: deps.logger,
    logController: new RequestLog(config.slowRequestMs, metrics.observeRequest),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: config.requestTimeoutMs,
    http: { headersTimeout: config.headersTimeoutMs, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    clientErrorHandler: answerMalformedRequest,
    // Its own answer has neither a code nor Retry-After; ours comes from the drain.
    return503OnClosing: false
  }).withTypeProvider<ZodTypeProvider>()

  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  // Fastify takes text/plain as a string, which no route wants: without its parser the answer is 415.
  app.removeContentTypeParser('text/plain')
  app.setErrorHandler(createErrorHandler(metrics))
  const { countRequest } = deps.telemetry
  if (countRequest) app.addHook('onRequest', createServerSpanHook(countRequest))
  await registerSecurityHeaders(app)
  const drain = createDrain(app.server)
  app.decorate('drain', drain)
  app.addHook('preClose', async function stopTakingRequests() {
    drain.begin()
  })
  const guard = createGuard(config, collectRoutes(app))
  app.addHook('onRequest', async function admitRequest(request, reply) {
    drain.refuseLate(request, reply)
    guard(request, reply)
  })
  await registerDocs(app, config)

  await app.register(healthRoutes, { config, ...deps })
  await app.register(queryRoutes, { config, admission, feedback, costs, metrics, ...deps })
  await app.register(feedbackRoutes, { feedback })
  await app.register(faultRoutes, { faults: deps.faults })
  await app.register(diagnosisRoutes, { diagnostician: deps.diagnostician })
  await app.register(pprofRoutes, { sources: deps.sources })
  await app.register(sqlRoutes, { sources: deps.sources, indexAdvisor: deps.indexAdvisor })
  await app.register(memoryRoutes, { heapWatch: deps.heapWatch, leakChecker: deps.leakChecker })
  await app.register(leakCheckRoutes, { leakChecker: deps.leakChecker })
  await app.register(traceRoutes, { recentTraces: deps.telemetry.recentTraces, feedback })
  await app.register(apmRoutes, { config, ...deps })
  await app.register(costRoutes, { costs })
  await app.register(metricRoutes, { metrics })
  await app.register(pageRoutes)
  return app
}
