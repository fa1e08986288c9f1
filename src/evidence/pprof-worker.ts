/**
 * The thread that writes a CPU profile: a minute of samples takes longer than a request should wait for. Takes the
 * parts of a window, answers the last of them with the gzipped profile, and is ended by whoever started it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { joinEvidence } from './evidence.ts'
import type { EvidencePart } from './evidence-stream.ts'
import { exportCpuProfile } from './pprof-export.ts'

const spanName: string | undefined = workerData
const parts: EvidencePart[] = []

parentPort?.on('message', function addPart(part: EvidencePart) {
  parts.push(part)
  if (part.isLast) parentPort?.postMessage(exportCpuProfile(joinEvidence(parts), spanName))
})
