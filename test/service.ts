/**
 * The whole service in this process, as `npm start` makes it, with its sampled spans kept in memory. Import
 * this before anything that loads fastify or pg: telemetry has to be there first.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { register } from 'import-in-the-middle/register-hooks.mjs'
import { type Config, parseConfig } from '../src/config.ts'
import { PLUMBING, ROOT_DIR } from '../src/own-sources.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createIdleGuard } from '../src/telemetry/overhead-guard.ts'
import { startTelemetry } from '../src/telemetry/telemetry.ts'

export interface LogLine {
  level: number
  msg: string
  trace_id?: string
  span_id?: string
  [field: string]: unknown
}

export const exporter = new InMemorySpanExporter()

/** Starts it on a free port with `env` as its settings; every trace is sampled unless told otherwise. */
export async function startService(env: Record<string, string> = {}) {
  const { config } = parseConfig({
    SIMULATED_LATENCY_SCALE: '0',
    SAMPLING_RATE: '1',
    ...env
  })
  register({ include: ['pg'] })
  const telemetry = startTelemetry(config, { spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const { buildApp } = await import('../src/app.ts')
  const { createIndexAdvisor } = await import('../src/database/index-advisor.ts')
  const { openDatabase } = await import('../src/database/database.ts')
  const { createSourceTree } = await import('../src/evidence/source-tree.ts')
  const { startHeapWatch } = await import('../src/evidence/heap-watch.ts')
  const { createFaultRegistry } = await import('../src/faults.ts')
  const { createLeakChecker } = await import('../src/leak-check/leak-checker.ts')
  const { createModelClient } = await import('../src/model/client.ts')
  const { startSimulatedModel } = await import('../src/model/simulator.ts')
  const [database, simulated] = await Promise.all([
    openDatabase({}),
    startSimulatedModel({ latencyScale: config.simulatedLatencyScale })
  ])
  const faults = createFaultRegistry(config.faults)
  const model = createModelClient({ baseUrl: simulated.baseUrl, model: config.model, timeoutMs: 30_000 })
  const heapWatch = startHeapWatch()
  const indexAdvisor = createIndexAdvisor(database, config.sqlIndexAdvice)
  const sources = createSourceTree(ROOT_DIR, PLUMBING)
  const leakChecker = createLeakChecker({ database, faults })
  const logLines: LogLine[] = []
  const logger = createLogger(config.logLevel, { write: (line) => void logLines.push(JSON.parse(line)) })

  const apps: { close(): Promise<unknown> }[] = []

  /** Another app on the same database and model: for what another configuration changes. */
  async function listen(changes: Partial<Config> = {}, otherModel = model) {
    const app = await buildApp(
      { ...config, ...changes },
      {
        logger,
        telemetry,
        database,
        model: otherModel,
        faults,
        heapWatch,
        leakChecker,
        sources,
        indexAdvisor,
        overheadGuard: createIdleGuard(config.profilingMaxTimeUsagePct)
      }
    )
    apps.push(app)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { app, url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` }
  }

  const { url } = await listen()
  async function close(): Promise<void> {
    await Promise.all(apps.map((app) => app.close()))
    heapWatch.stop()
    await Promise.all([database.close(), simulated.close(), telemetry.shutdown()])
  }
  return { url, telemetry, database, faults, logLines, listen, close }
}

/** Polls until `find` finds something; fails after 20 s. */
export async function until<T>(find: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    const found = find()
    if (found !== undefined && found !== false) return found
    await delay(5)
  }
  throw new Error(`not within 20 s: ${find}`)
}

/** The spans of a trace, once its server span has ended; that may be after the answer has arrived. */
export function untilTraceEnded(traceId: string): Promise<ReadableSpan[]> {
  return until(function findTrace() {
    const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId)
    return spans.some(isLocalRoot) && spans
  })
}

export function isLocalRoot(span: ReadableSpan): boolean {
  return span.parentSpanContext === undefined || span.parentSpanContext.isRemote === true
}

/** What POST /query answers, as far as tests look at it. */
export interface AnswerBody {
  response: string
  num_results: number
  trace_id: string
  sampled: boolean
  stages: { name: string; duration_ms: number }[]
  sources: { id: number; title: string; score: number }[]
  usage: { model: string; prompt_tokens: number; completion_tokens: number; cost_usd: number }
}

/** Sends a JSON body; what comes back is parsed. */
export async function sendJson<Body = AnswerBody>(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string> = {}
) {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body)
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
}

/** A model that tells when it is asked and answers when it is told to: a request held in flight. */
export async function startHeldModel() {
  const asked = Promise.withResolvers<IncomingHttpHeaders>()
  const released = Promise.withResolvers<void>()
  const server = createServer(async (request, response) => {
    request.resume()
    asked.resolve(request.headers)
    await released.promise
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        model: 'gpt-4',
        choices: [{ message: { content: 'the answer' } }],
        usage: { prompt_tokens: 1, completion_tokens: 1 }
      })
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { baseUrl: `http://127.0.0.1:${port}/v1`, asked: asked.promise, release: released.resolve }
}
