/**
 * The thread that concludes: reading sources and folding stacks takes a tenth of a second, which no request should
 * wait for. Takes one message, answers one, and is ended by whoever started it.
 */
import { parentPort } from 'node:worker_threads'
import { buildFlameTree, type FlameNode } from '../evidence/flame-tree.ts'
import { createSourceTree } from '../evidence/source-tree.ts'
import { buildSpanTree } from '../evidence/span-tree.ts'
import type { Evidence } from '../evidence/window.ts'
import { diagnose } from './diagnose.ts'
import type { Diagnosis } from './finding.ts'

export interface DiagnosisSettings {
  /** Absolute path of the repository whose code is diagnosed. */
  rootDir: string
  /** Paths relative to it of files that only pass calls on. */
  plumbing: readonly string[]
  /** CPU in ms per request from which on a finding is a fault. */
  minCpuMs: number
}

export interface Conclusion {
  diagnosis: Omit<Diagnosis, 'id'>
  flame: FlameNode
}

parentPort?.once('message', function conclude([evidence, settings]: [Evidence, DiagnosisSettings]) {
  const sources = createSourceTree(settings.rootDir, settings.plumbing)
  const tree = buildSpanTree(evidence.spans)
  const conclusion: Conclusion = {
    diagnosis: diagnose(evidence, { sources, minCpuMs: settings.minCpuMs }),
    flame: buildFlameTree(evidence.samples, tree, evidence.lines, sources)
  }
  parentPort?.postMessage(conclusion)
})
