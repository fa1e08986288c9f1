/** A window of evidence: everything that was recorded between its opening and its closing, as plain data. */
import { type Evidence, joinEvidence } from './evidence.ts'
import { type EvidencePart, streamEvidence } from './evidence-stream.ts'

export interface EvidenceWindow {
  close(): Promise<Evidence>
}

/**
 * Opens a window that keeps its parts and joins them on this thread.
 * Only one can be open at a time. @throws Error when one is
 * @param options as of streamEvidence
 */
export function openEvidenceWindow(options: { takesPlans?: boolean } = {}): EvidenceWindow {
  const parts: EvidencePart[] = []
  const stream = streamEvidence((part) => parts.push(part), options)
  return {
    async close() {
      await stream.close()
      return joinEvidence(parts)
    }
  }
}
