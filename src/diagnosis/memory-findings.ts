/** A finding about memory: the live service's post-collection floor grows, and not by chance. */
import { type GrowthRate, isSustained } from '../evidence/growth-rate.ts'
import type { LeakReport } from '../evidence/memory/leak-report.ts'
import { BYTES_PER_MB } from '../evidence/memory/megabytes.ts'
import { type Finding, round } from './finding.ts'

export interface MemoryEvidence {
  /** Of what full collections leave, as the heap watch reports it. */
  growth: GrowthRate
  requestsPerHour: number
  /** The last leak check of the pipeline, where it found one. */
  leak?: Pick<LeakReport, 'retained_by' | 'allocated_at' | 'growth_bytes_per_iteration'> | undefined
}

const PLACE = /^(.*):(\d+)$/

/** @returns one fault where memory grows for certain; it names the line where a leak check has named it */
export function findMemoryFindings({ growth, requestsPerHour, leak }: MemoryEvidence): Finding[] {
  if (!isSustained(growth)) return []
  const [low, estimate, high] = [growth.low, growth.estimate, growth.high].map((bytes) =>
    round((bytes ?? 0) / BYTES_PER_MB)
  )
  const [, file = null, line] = PLACE.exec(leak?.allocated_at ?? '') ?? []
  return [
    {
      kind: 'memory',
      severity: 'fault',
      span: 'process',
      function: null,
      file,
      line: line === undefined ? null : Number(line),
      line_exact: line !== undefined,
      chain: [],
      share_of_span: 0,
      ...(requestsPerHour > 0 && {
        growth_bytes_per_request: Math.round((growth.estimate ?? 0) / requestsPerHour)
      }),
      samples: 0,
      evidence: [
        `what full garbage collections leave grows by ${estimate} MB an hour (95 % interval ${low} to ${high})`,
        ...(leak ? [describeLeak(leak)] : [])
      ],
      suggestion: leak?.retained_by
        ? `Give ${leak.retained_by} a limit, or remove from it what is no longer needed.`
        : 'Something is kept for good: POST /memory/leak-check names the variable and the line.'
    }
  ]
}

function describeLeak({
  retained_by,
  growth_bytes_per_iteration
}: NonNullable<MemoryEvidence['leak']>): string {
  return (
    `the last leak check found ${round(growth_bytes_per_iteration / 1024)} KB kept by each query` +
    (retained_by ? `, in ${retained_by}` : '')
  )
}
