/** Opens a window on live traffic, closes it as soon as the evidence suffices, and keeps what was concluded. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { FlameNode } from '../evidence/flame-tree.ts'
import { createShallowSourceTree } from '../evidence/source-tree.ts'
import { spanRecorder } from '../evidence/span-recorder.ts'
import { buildSpanTree, type SpanTree } from '../evidence/span-tree.ts'
import { type Evidence, type EvidenceWindow, openEvidenceWindow } from '../evidence/window.ts'
import { type DiagnoseOptions, diagnose, isHealthy, rankFindings } from './diagnose.ts'
import type { Conclusion, DiagnosisSettings } from './diagnosis-worker.ts'
import type { Diagnosis, Finding } from './finding.ts'
import { MIN_FAULT_SAMPLES } from './thresholds.ts'

export interface DiagnosisRecord extends Diagnosis {
  flame: FlameNode
}

export interface Diagnostician {
  /** True while its window is open: requests that start now count. */
  readonly isRunning: boolean
  /**
   * @param seconds ceiling of the window
   * @throws DiagnosisRunningError, NoRequestsError
   */
  run(seconds: number): Promise<Diagnosis>
  /** One of the last diagnoses, with its flame graph. */
  find(id: string): DiagnosisRecord | undefined
  /** The last diagnoses, the newest first. */
  list(): DiagnosisRecord[]
}

export class DiagnosisRunningError extends Error {
  readonly statusCode = 409
  readonly code = 'DIAGNOSIS_RUNNING'
  constructor() {
    super('A diagnosis is running already: wait until it has ended.')
  }
}

export class NoRequestsError extends Error {
  readonly statusCode = 422
  readonly code = 'NO_REQUESTS'
  constructor(seconds: number) {
    super(
      `No traced request came within ${seconds} s. Send some while the diagnosis runs: ` +
        '`npm run diagnose` does, or POST /query from another terminal.'
    )
  }
}

const KEPT_DIAGNOSES = 20
const WORKER_HEAP_MB = 512
/** A look takes a few milliseconds of the main thread. */
const CHECK_EVERY_MS = 500
/** With this many requests a window closes early, … */
const ENOUGH_REQUESTS = 5
/** … and with fewer once nobody sent another for so long. */
const QUIET_MS = 500
/** Three times what a fault needs: the line is to be right, not just the function. */
const ENOUGH_SAMPLES = 3 * MIN_FAULT_SAMPLES

/** @param findOutsideWindow findings that do not come from a window, such as those about memory */
export function createDiagnostician(
  settings: DiagnosisSettings,
  findOutsideWindow: () => Finding[] = () => []
): Diagnostician {
  const kept = new Map<string, DiagnosisRecord>()
  let isRunning = false

  async function run(seconds: number): Promise<Diagnosis> {
    if (isRunning || spanRecorder.isOpen) throw new DiagnosisRunningError()
    isRunning = true
    try {
      const record = addFindings(await observe(seconds, settings), findOutsideWindow())
      keep(record)
      const { flame: _, ...diagnosis } = record
      return diagnosis
    } finally {
      isRunning = false
    }
  }

  function keep(record: DiagnosisRecord): void {
    kept.set(record.id, record)
    const oldest = kept.keys().next().value
    if (kept.size > KEPT_DIAGNOSES && oldest !== undefined) kept.delete(oldest)
  }

  return {
    get isRunning() {
      return isRunning
    },
    run,
    find: (id) => kept.get(id),
    list: () => [...kept.values()].reverse()
  }
}

function addFindings(record: DiagnosisRecord, added: Finding[]): DiagnosisRecord {
  const findings = rankFindings([...record.findings, ...added])
  return { ...record, findings, healthy: isHealthy(findings) }
}

async function observe(seconds: number, settings: DiagnosisSettings): Promise<DiagnosisRecord> {
  const window = openEvidenceWindow({ takesPlans: true })
  const worker = startWorker()
  try {
    await untilEvidenceSuffices(window, seconds * 1000, settings)
    const evidence = await window.close()
    if (evidence.spans.length === 0) throw new NoRequestsError(seconds)
    worker.postMessage([evidence, settings])
    const [{ diagnosis, flame }] = (await once(worker, 'message')) as [Conclusion]
    return { id: randomUUID(), ...diagnosis, flame }
  } finally {
    await worker.terminate()
  }
}

function startWorker(): Worker {
  return new Worker(new URL('./diagnosis-worker.ts', import.meta.url), {
    // Not the parent's: a preloaded telemetry/start.ts would start a second service's worth of tracing.
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB }
  })
}

async function untilEvidenceSuffices(
  window: EvidenceWindow,
  ceilingMs: number,
  settings: DiagnosisSettings
): Promise<void> {
  const options = { minCpuMs: settings.minCpuMs, sources: createShallowSourceTree(settings.rootDir) }
  const deadline = Date.now() + ceilingMs
  while (Date.now() < deadline) {
    await delay(Math.min(CHECK_EVERY_MS, deadline - Date.now()))
    if (hasEnoughRequests(buildSpanTree(spanRecorder.endedSpans)) && namesFault(window.peek(), options))
      return
  }
}

function hasEnoughRequests({ requests }: SpanTree): boolean {
  if (requests.length >= ENOUGH_REQUESTS) return true
  const lastEndMs = requests.at(-1)?.endMs
  return lastEndMs !== undefined && spanRecorder.unfinishedSpans === 0 && Date.now() - lastEndMs >= QUIET_MS
}

/**
 * Only a fault ends a window early: a healthy service has to be watched to the end, or the one slow request in a
 * hundred would be missed.
 */
function namesFault(evidence: Evidence, options: DiagnoseOptions): boolean {
  return diagnose(evidence, options).findings.some(
    ({ severity, samples }) => severity === 'fault' && samples >= ENOUGH_SAMPLES
  )
}
