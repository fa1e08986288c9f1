/** Where this repository is, and which of its files a finding should not point at. */
import { resolve } from 'node:path'

export const ROOT_DIR = resolve(import.meta.dirname, '..')

/** Own files that only pass calls on: no chain of calls needs to show them. */
export const PLUMBING = [
  'src/evidence/profiler.ts',
  'src/evidence/span-recorder.ts',
  'src/evidence/sql/statement-log.ts',
  'src/model/client.ts',
  'src/telemetry/context-manager.ts',
  'src/telemetry/instrumentations.ts',
  'src/telemetry/traced.ts',
  'src/pipeline/stages.ts'
]
