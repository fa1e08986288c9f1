/**
 * The thread that concludes: reading sources and folding stacks takes a tenth of a second, which no request should
 * wait for. Takes the parts of a window, says when they suffice, answers the last of them with the conclusion, and
 * is ended by whoever started it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { joinEvidence } from '../evidence/evidence.ts'
import type { EvidencePart } from '../evidence/evidence-stream.ts'
import { buildFlameTree, type FlameNode } from '../evidence/flame-tree.ts'
import { createShallowSourceTree, createSourceTree } from '../evidence/source-tree.ts'
import { buildSpanTree } from '../evidence/span-tree.ts'
import { diagnose } from './diagnose.ts'
import { suffices } from './enough-evidence.ts'
import type { Diagnosis } from './finding.ts'

export interface DiagnosisSettings {
  /** Absolute path of the repository whose code is diagnosed. */
  rootDir: string
  /** Paths relative to it of files that only pass calls on. */
  plumbing: readonly string[]
  /** CPU in ms per request from which on a finding is a fault. */
  minCpuMs: number
}

export type Answer =
  | { kind: 'suffices' }
  | { kind: 'concluded'; diagnosis: Omit<Diagnosis, 'id'>; flame: FlameNode; jsonLength: number }

const { rootDir, plumbing, minCpuMs }: DiagnosisSettings = workerData
const parts: EvidencePart[] = []

parentPort?.on('message', function addPart(part: EvidencePart) {
  parts.push(part)
  if (part.isLast) answer(conclude())
  else if (suffices(parts, { sources: createShallowSourceTree(rootDir), minCpuMs }))
    answer({ kind: 'suffices' })
})

function answer(message: Answer): void {
  parentPort?.postMessage(message)
}

function conclude(): Answer {
  const evidence = joinEvidence(parts)
  const sources = createSourceTree(rootDir, plumbing)
  const diagnosis = diagnose(evidence, { sources, minCpuMs })
  const flame = buildFlameTree(evidence.samples, buildSpanTree(evidence.spans), evidence.lines, sources)
  return { kind: 'concluded', diagnosis, flame, jsonLength: JSON.stringify([diagnosis, flame]).length }
}
