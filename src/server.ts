/** The process: opens what the service needs, listens, and closes everything in the opposite order. */
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { createProgress, formatBanner } from './banner.ts'
import { isLoopback } from './config.ts'
import { openDatabase } from './database/database.ts'
import { createIndexAdvisor } from './database/index-advisor.ts'
import { findMemoryFindings, type MemoryEvidence } from './diagnosis/memory-findings.ts'
import { createDiagnostician } from './diagnosis/run-diagnosis.ts'
import { type HeapWatch, startHeapWatch } from './evidence/heap-watch.ts'
import { writeProfileNearHeapLimit } from './evidence/out-of-memory.ts'
import { areProfilersRunning } from './evidence/profilers.ts'
import { createSourceTree } from './evidence/source-tree.ts'
import { createFaultRegistry } from './faults.ts'
import { createLeakChecker, type LeakChecker } from './leak-check/leak-checker.ts'
import { createModelClient } from './model/client.ts'
import { startSimulatedModel } from './model/simulator.ts'
import { PLUMBING, ROOT_DIR } from './own-sources.ts'
import { measureBoundedCacheBytes } from './pipeline/document-cache.ts'
import { closeOnSignals, exitOnCrash } from './process-end.ts'
import { readGauges } from './telemetry/gauges.ts'
import { createIdleGuard, startOverheadGuard } from './telemetry/overhead-guard.ts'
import { config, logger, telemetry } from './telemetry/start.ts'

type App = Awaited<ReturnType<typeof import('./app.ts').buildApp>>

async function openModel() {
  const simulated = config.openaiBaseUrl
    ? undefined
    : await startSimulatedModel({
        latencyScale: config.simulatedLatencyScale,
        otlpEndpoint: config.tracingEnabled ? config.otlpEndpoint : undefined,
        warn: (message) => logger.warn(message)
      })
  const client = createModelClient({
    baseUrl: config.openaiBaseUrl ?? simulated?.baseUrl ?? '',
    apiKey: config.openaiApiKey?.reveal(),
    model: config.model,
    timeoutMs: config.modelTimeoutMs
  })
  return { client, close: async () => simulated?.close() }
}

/** @returns the address as a person on this machine would type it */
async function listen(app: App): Promise<string> {
  try {
    await app.listen({ host: config.host, port: config.port })
  } catch (error) {
    throw new Error(explainListenError(error as NodeJS.ErrnoException), { cause: error })
  }
  const { port } = app.server.address() as AddressInfo
  const host =
    isLoopback(config.host) || config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host
  return `http://${host}:${port}`
}

function explainListenError({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') {
    return `Port ${config.port} is taken: stop what listens there, or set PORT to another one (0 takes any free one).`
  }
  if (code === 'EACCES') return `Port ${config.port} needs privileges: set PORT to one above 1023.`
  return `Cannot listen on HOST=${config.host}, PORT=${config.port}: ${message}`
}

/** With Datadog's profiler the same is Datadog's to do, and there is one such watch in a process. */
function watchHeapLimit(): void {
  if (!areProfilersRunning() || telemetry.datadog?.isProfiling()) return
  writeProfileNearHeapLimit(config.heapProfileDir, function logProfile(outcome) {
    if ('file' in outcome) logger.fatal(outcome, 'the heap is full: its profile tells what fills it')
    else logger.fatal({ err: outcome.error }, 'the heap is full, and no profile of it could be written')
  })
}

function collectMemoryEvidence(heapWatch: HeapWatch, leakChecker: LeakChecker): MemoryEvidence {
  const hours = Math.min(process.uptime() / 3600, 1)
  const { report } = leakChecker.last ?? {}
  return {
    growth: heapWatch.report().growth,
    requestsPerHour: telemetry.requestCount.lastHour(Date.now()) / hours,
    leak: report?.verdict === 'leak' ? report : undefined
  }
}

async function main(): Promise<void> {
  exitOnCrash(logger, telemetry)
  const progress = createProgress(process.stderr)
  // The children of the first two start while this process loads the rest.
  const [database, model, { buildApp }] = await Promise.all([
    openDatabase({
      databaseUrl: config.databaseUrl?.reveal(),
      onProgress: progress.show,
      logger,
      queryTimeoutMs: config.sqlTimeoutMs
    }),
    openModel(),
    import('./app.ts')
  ])
  watchHeapLimit()
  const faults = createFaultRegistry(config.faults)
  const heapWatch = startHeapWatch(readBoundedBytes)
  const leakChecker = createLeakChecker({ database, faults })
  telemetry.datadog?.reportGauges(() => readGauges(heapWatch, telemetry))
  const indexAdvisor = createIndexAdvisor(database, config.sqlIndexAdvice)
  const overheadGuard =
    telemetry.sampler && areProfilersRunning()
      ? startOverheadGuard({ limitPct: config.profilingMaxTimeUsagePct, sampler: telemetry.sampler, logger })
      : createIdleGuard(config.profilingMaxTimeUsagePct)
  const diagnostician = config.tracingEnabled
    ? createDiagnostician(
        { rootDir: ROOT_DIR, plumbing: PLUMBING, minCpuMs: config.diagnosisMinCpuMs },
        () => findMemoryFindings(collectMemoryEvidence(heapWatch, leakChecker)),
        indexAdvisor
      )
    : undefined

  function readBoundedBytes(): number {
    return measureBoundedCacheBytes() + telemetry.recentTraces.keptBytes + (diagnostician?.keptBytes ?? 0)
  }

  const app = await buildApp(config, {
    logger,
    telemetry,
    database,
    model: model.client,
    faults,
    heapWatch,
    leakChecker,
    sources: createSourceTree(ROOT_DIR, PLUMBING),
    indexAdvisor,
    overheadGuard,
    diagnostician
  })
  closeOnSignals(logger, app, [
    async () => overheadGuard.stop(),
    model.close,
    () => database.close(),
    () => telemetry.shutdown()
  ])
  const url = await listen(app)
  progress.clear()
  // Whoever started this process with an IPC channel (npm run diagnose, the tests) has to learn the port.
  process.send?.({ url })
  const enabledFaults = faults.list().flatMap((fault) => (fault.enabled ? [fault.name] : []))
  process.stderr.write(
    formatBanner({ config, url, databaseEngine: database.engine, startupS: process.uptime(), enabledFaults })
  )
}

main().catch((error: Error) => {
  logger.debug({ err: error }, 'start failed')
  process.stderr.write(`\nThe service could not start. ${error.message}\n`)
  process.exit(1)
})
