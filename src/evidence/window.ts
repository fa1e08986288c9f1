/** A window of evidence: everything that was recorded between its opening and its closing, as plain data. */
import { type Evidence, joinEvidence } from './evidence.ts'
import { type EvidencePart, streamEvidence } from './evidence-stream.ts'

export interface EvidenceWindow {
  close(): Promise<Evidence>
}

/**
 * Opens a window that keeps its parts and joins them on this thread.
 * Only one can be open at a time. @throws Error when one is
 */
export function openEvidenceWindow(): EvidenceWindow {
  const parts: EvidencePart[] = []
  const stream = streamEvidence((part) => parts.push(part))
  return {
    async close() {
      await stream.close()
      return joinEvidence(parts)
    }
  }
}
