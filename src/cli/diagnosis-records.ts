/** The last diagnoses as files, so that a later run can be compared with one of a service that is gone. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { DiagnosisRecord } from '../diagnosis/run-diagnosis.ts'
import { UsageError } from './command.ts'
import { ROOT_DIR } from './service.ts'

const RECORDS_DIR = path.join(ROOT_DIR, '.cache', 'diagnoses')
const KEPT_RECORDS = 50

/** Keeps the record, and only the last fifty. */
export function saveRecord(record: DiagnosisRecord): void {
  mkdirSync(RECORDS_DIR, { recursive: true })
  writeFileSync(recordPath(record.id), JSON.stringify(record))
  for (const id of listRecords().slice(KEPT_RECORDS)) rmSync(recordPath(id), { force: true })
}

/** @throws UsageError where there is no diagnosis of that id */
export function readRecord(id: string): DiagnosisRecord {
  // An id is a file's name here: nothing else may be.
  if (!/^[\w-]+$/.test(id)) throw new UsageError(`--compare takes the id of a diagnosis, not "${id}"`)
  try {
    return JSON.parse(readFileSync(recordPath(id), 'utf8')) as DiagnosisRecord
  } catch {
    throw new UsageError(
      `There is no diagnosis ${id} here. Known: ${listRecords().join(', ') || 'none yet'}.`
    )
  }
}

function recordPath(id: string): string {
  return path.join(RECORDS_DIR, `${id}.json`)
}

/** @returns ids, the newest first */
function listRecords(): string[] {
  try {
    return readdirSync(RECORDS_DIR)
      .map((name) => path.basename(name, '.json'))
      .map((id) => ({ id, ms: statSync(recordPath(id)).mtimeMs }))
      .sort((a, b) => b.ms - a.ms)
      .map(({ id }) => id)
  } catch {
    return []
  }
}
