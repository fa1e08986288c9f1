/** A finding about memory: the live service's post-collection floor grows, and not by chance. */
import type { GrowthRate } from '../evidence/growth-rate.ts'
import { BYTES_PER_MB } from '../evidence/memory/megabytes.ts'
import { MAX_GROWTH_MB_PER_HOUR } from '../evidence/memory-alerts.ts'
import { type Finding, round } from './finding.ts'

/**
 * @param growth of what full collections leave, as the heap watch reports it
 * @returns one fault where the whole 95 % interval lies above the threshold; it names no line, the leak check does
 */
export function findMemoryFindings({ growth }: { growth: GrowthRate }): Finding[] {
  if (!growth.reliable || growth.low === null) return []
  const [low, estimate, high] = [growth.low, growth.estimate, growth.high].map((bytes) =>
    round((bytes ?? 0) / BYTES_PER_MB)
  )
  if (low === undefined || low <= MAX_GROWTH_MB_PER_HOUR) return []
  return [
    {
      kind: 'memory',
      severity: 'fault',
      span: 'process',
      function: null,
      file: null,
      line: null,
      line_exact: false,
      chain: [],
      share_of_span: 0,
      samples: 0,
      evidence: [
        `what full garbage collections leave grows by ${estimate} MB an hour (95 % interval ${low} to ${high})`
      ],
      suggestion: 'Something is kept for good: POST /memory/leak-check names the variable and the line.'
    }
  ]
}
