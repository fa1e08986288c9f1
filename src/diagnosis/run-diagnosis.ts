/** Opens a window on live traffic, closes it as soon as the evidence suffices, and keeps what was concluded. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { buildFlameTree, type FlameNode } from '../evidence/flame-tree.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import { type RecordedSpan, spanRecorder } from '../evidence/span-recorder.ts'
import { buildSpanTree } from '../evidence/span-tree.ts'
import { openEvidenceWindow } from '../evidence/window.ts'
import { diagnose } from './diagnose.ts'
import type { Diagnosis } from './finding.ts'
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
const CHECK_EVERY_MS = 200
/** With this many requests a window closes early, … */
const ENOUGH_REQUESTS = 5
/** … and with fewer once nobody sent another for so long. */
const QUIET_MS = 500
/** Three times what a fault needs: the line is to be right, not just the function. */
const ENOUGH_CPU_MS = 3 * MIN_FAULT_SAMPLES * 10

export function createDiagnostician(options: { sources: SourceTree; minCpuMs: number }): Diagnostician {
  const kept = new Map<string, DiagnosisRecord>()
  let isRunning = false

  async function run(seconds: number): Promise<Diagnosis> {
    if (isRunning || spanRecorder.isOpen) throw new DiagnosisRunningError()
    isRunning = true
    try {
      const record = await observe(seconds, options)
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

async function observe(
  seconds: number,
  options: { sources: SourceTree; minCpuMs: number }
): Promise<DiagnosisRecord> {
  const window = openEvidenceWindow()
  await untilEvidenceSuffices(seconds * 1000, options.minCpuMs)
  const evidence = window.close()
  if (evidence.spans.length === 0) throw new NoRequestsError(seconds)
  const tree = buildSpanTree(evidence.spans)
  return {
    id: randomUUID(),
    ...diagnose(evidence, options),
    flame: buildFlameTree(evidence.samples, tree, evidence.lines, options.sources)
  }
}

async function untilEvidenceSuffices(ceilingMs: number, minCpuMs: number): Promise<void> {
  const deadline = Date.now() + ceilingMs
  while (Date.now() < deadline) {
    await delay(Math.min(CHECK_EVERY_MS, deadline - Date.now()))
    if (evidenceSuffices(spanRecorder.endedSpans, spanRecorder.unfinishedSpans, minCpuMs)) return
  }
}

/**
 * Only a fault ends a window early: a healthy service has to be watched to the end, or the one slow request in a
 * hundred would be missed.
 */
function evidenceSuffices(ended: readonly RecordedSpan[], unfinished: number, minCpuMs: number): boolean {
  const tree = buildSpanTree(ended)
  if (!hasCostlySpan(tree.byName, tree.childrenOf, minCpuMs)) return false
  if (tree.requests.length >= ENOUGH_REQUESTS) return true
  const lastEndMs = tree.requests.at(-1)?.endMs ?? Date.now()
  return unfinished === 0 && Date.now() - lastEndMs >= QUIET_MS
}

/** Judged by the loop's active time, which costs nothing to read; the profile is not cut for a mere look. */
function hasCostlySpan(
  byName: Map<string, RecordedSpan[]>,
  childrenOf: (span: RecordedSpan) => RecordedSpan[],
  minCpuMs: number
): boolean {
  return [...byName.values()].some((spans) => {
    const activeMs = spans.reduce((sum, span) => {
      const children = childrenOf(span).reduce((total, child) => total + child.loopActiveMs, 0)
      return sum + span.loopActiveMs - children
    }, 0)
    return activeMs >= ENOUGH_CPU_MS && activeMs / spans.length >= minCpuMs
  })
}
