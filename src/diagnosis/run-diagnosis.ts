/** Opens a window on live traffic, closes it as soon as the evidence suffices, and keeps what was concluded. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { IndexAdvisor } from '../database/index-advisor.ts'
import { isWindowOpen, streamEvidence } from '../evidence/evidence-stream.ts'
import type { FlameNode } from '../evidence/flame-tree.ts'
import { sum } from '../evidence/tally.ts'
import { untilAborted } from '../evidence/until-aborted.ts'
import { windowGate } from '../evidence/window-gate.ts'
import { adviseOnIndexes } from './advised-findings.ts'
import { isHealthy, rankFindings } from './diagnose.ts'
import type { Answer, DiagnosisSettings } from './diagnosis-worker.ts'
import type { Diagnosis, Finding } from './finding.ts'

export interface DiagnosisRecord extends Diagnosis {
  flame: FlameNode
}

export interface Diagnostician {
  /** True while its window is open: requests that start now count. */
  readonly isRunning: boolean
  /**
   * @param seconds ceiling of the window
   * @param signal aborts when nobody wants it any more: others may have the window then
   * @throws DiagnosisRunningError, NoRequestsError, WindowsShutError, and the signal's reason
   */
  run(seconds: number, signal?: AbortSignal): Promise<Diagnosis>
  /** One of the last diagnoses, with its flame graph. */
  find(id: string): DiagnosisRecord | undefined
  /** The last diagnoses, the newest first. */
  list(): DiagnosisRecord[]
  /** About what they take on the heap: it rises until there are as many as are kept. */
  readonly keptBytes: number
}

export class DiagnosisRunningError extends Error {
  readonly statusCode = 409
  readonly code = 'DIAGNOSIS_RUNNING'
  constructor() {
    super('A diagnosis or a profile is being taken already: wait until it has ended.')
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
/** What a diagnosis takes on the heap for each character of its JSON: measured. */
const BYTES_PER_JSON_CHARACTER = 3
const WORKER_HEAP_MB = 512

/**
 * @param findOutsideWindow findings that do not come from a window, such as those about memory
 * @param indexAdvisor tries the indexes that are missing, where it may
 */
export function createDiagnostician(
  settings: DiagnosisSettings,
  findOutsideWindow: () => Finding[] = () => [],
  indexAdvisor?: IndexAdvisor
): Diagnostician {
  const kept = new Map<string, { record: DiagnosisRecord; jsonLength: number }>()
  let isRunning = false

  async function run(seconds: number, signal?: AbortSignal): Promise<Diagnosis> {
    if (isRunning || isWindowOpen()) throw new DiagnosisRunningError()
    isRunning = true
    try {
      const { jsonLength, ...observed } = await observe(seconds, settings, signal)
      const findings = indexAdvisor
        ? await adviseOnIndexes(observed.findings, indexAdvisor)
        : observed.findings
      const record = withFindings(observed, [...findings, ...findOutsideWindow()])
      keep(record, jsonLength)
      const { flame: _, ...diagnosis } = record
      return diagnosis
    } finally {
      isRunning = false
    }
  }

  function keep(record: DiagnosisRecord, jsonLength: number): void {
    kept.set(record.id, { record, jsonLength })
    const oldest = kept.keys().next().value
    if (kept.size > KEPT_DIAGNOSES && oldest !== undefined) kept.delete(oldest)
  }

  return {
    get isRunning() {
      return isRunning
    },
    run,
    find: (id) => kept.get(id)?.record,
    list: () => [...kept.values()].map(({ record }) => record).reverse(),
    get keptBytes() {
      return BYTES_PER_JSON_CHARACTER * sum([...kept.values()].map(({ jsonLength }) => jsonLength))
    }
  }
}

function withFindings(record: DiagnosisRecord, unranked: Finding[]): DiagnosisRecord {
  const findings = rankFindings(unranked)
  return { ...record, findings, healthy: isHealthy(findings) }
}

/** Ends with both the window and the thread that concludes from it ended. */
async function observe(
  seconds: number,
  settings: DiagnosisSettings,
  signal: AbortSignal | undefined
): Promise<DiagnosisRecord & { jsonLength: number }> {
  const worker = startWorker(settings)
  const concluded = nextAnswer(worker, 'concluded')
  try {
    const stream = streamEvidence((part) => worker.postMessage(part), { takesPlans: true })
    const timeUp = delay(seconds * 1000, undefined, { ref: false })
    // `concluded` comes before the window's end only where the thread fails.
    const over = Promise.race([nextAnswer(worker, 'suffices'), concluded, timeUp, windowGate.untilShut()])
    await untilAborted(over, signal).finally(stream.close)
    const { diagnosis, flame, jsonLength } = await concluded
    if (diagnosis.window.requests === 0) throw new NoRequestsError(seconds)
    return { id: randomUUID(), ...diagnosis, flame, jsonLength }
  } finally {
    await worker.terminate()
  }
}

/** @throws the thread's error */
function nextAnswer<K extends Answer['kind']>(
  worker: Worker,
  kind: K
): Promise<Extract<Answer, { kind: K }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<Answer, { kind: K }>>()
  worker.on('message', function keepAnswer(answer: Answer) {
    if (answer.kind === kind) resolve(answer as Extract<Answer, { kind: K }>)
  })
  worker.once('error', reject)
  // Nobody may be waiting for it at the time.
  promise.catch(() => {})
  return promise
}

function startWorker(settings: DiagnosisSettings): Worker {
  return new Worker(new URL('./diagnosis-worker.ts', import.meta.url), {
    // Not the parent's: a preloaded telemetry/start.ts would start a second service's worth of tracing.
    execArgv: [],
    env: {},
    workerData: settings,
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB }
  })
}
