/** When a window may close before its time. */

import { joinEvidence } from '../evidence/evidence.ts'
import type { EvidencePart } from '../evidence/evidence-stream.ts'
import { NO_LINES } from '../evidence/line-index.ts'
import { buildSpanTree } from '../evidence/span-tree.ts'
import { type DiagnoseOptions, diagnose } from './diagnose.ts'
import { MIN_FAULT_SAMPLES } from './thresholds.ts'

/** With this many requests a window closes early, … */
const ENOUGH_REQUESTS = 5
/** … and with fewer once nobody sent another for so long. */
const QUIET_MS = 500
/** Three times what a fault needs: the line is to be right, not just the function. */
const ENOUGH_SAMPLES = 3 * MIN_FAULT_SAMPLES

/**
 * Only a fault ends a window early: a healthy service has to be watched to the end, or the one slow request in a
 * hundred would be missed.
 * @param parts of the window so far, at least one
 */
export function suffices(parts: readonly EvidencePart[], options: DiagnoseOptions): boolean {
  return hasEnoughRequests(parts) && namesFault(parts, options)
}

function hasEnoughRequests(parts: readonly EvidencePart[]): boolean {
  const { requests } = buildSpanTree(parts.flatMap(({ spans }) => spans))
  if (requests.length >= ENOUGH_REQUESTS) return true
  const last = parts.at(-1)
  const lastEndMs = requests.at(-1)?.endMs
  if (!last || lastEndMs === undefined) return false
  return last.unfinishedSpans === 0 && last.endMs - lastEndMs >= QUIET_MS
}

function namesFault(parts: readonly EvidencePart[], options: DiagnoseOptions): boolean {
  return diagnose(joinEvidence(parts, NO_LINES), options).findings.some(
    ({ severity, samples }) => severity === 'fault' && samples >= ENOUGH_SAMPLES
  )
}
