/** What the process of a leak check concludes. Without the schema of the answer, whose library it need not load. */
import type { LeakReport } from './leak-report.ts'

/** The rest of the report only the parent knows. */
export type LeakFindings = Omit<LeakReport, 'iterations' | 'judged' | 'cost'> & { cpu_ms: number }

/** What a verdict other than `leak` says of where and how much. */
export const NOTHING_NAMED = {
  growth_bytes_per_iteration: 0,
  retained_by: null,
  allocated_at: null,
  growing_types: [],
  proof: null
} satisfies Partial<LeakFindings>

/** Why what grows is no leak, or may be none. */
export interface Excuse {
  verdict: 'bounded' | 'inconclusive'
  reason: string
}
