/** The shape of a finding and of a diagnosis, as the API answers them. */
import { z } from 'zod'
import { indexAdviceSchema, planIssueSchema } from '../evidence/sql/report.ts'

export const findingSchema = z.object({
  kind: z.enum(['cpu', 'waiting', 'memory', 'sql', 'tokens']),
  severity: z.enum(['fault', 'info']),
  span: z.string(),
  function: z.string().nullable(),
  file: z.string().nullable(),
  line: z.number().int().nullable(),
  line_exact: z.boolean(),
  chain: z.array(
    z.object({
      function: z.string(),
      file: z.string(),
      line: z.number().int(),
      source: z.string().nullable()
    })
  ),
  share_of_span: z.number(),
  cost_ms_per_request: z.number().optional(),
  growth_bytes_per_request: z.number().optional(),
  calls_per_request: z.number().optional(),
  tokens_per_request: z.number().optional(),
  complexity: z
    .object({
      attribute: z.string(),
      exponent: z.number(),
      low: z.number(),
      high: z.number(),
      sizes: z.array(z.object({ size: z.number(), ms: z.number() }))
    })
    .optional(),
  statement: z.string().optional(),
  replacement: z.string().optional().describe('the one statement for all of a repeated one'),
  plan_issues: z.array(planIssueSchema).optional(),
  index_advice: indexAdviceSchema.optional(),
  samples: z.number().int(),
  evidence: z.array(z.string()),
  suggestion: z.string()
})

export const spanTimesSchema = z.object({
  span: z.string(),
  count: z.number().int(),
  duration_ms: z.number(),
  own_cpu_ms: z.number(),
  busy_with_others_ms: z.number(),
  idle_ms: z.number(),
  children: z.array(z.object({ span: z.string(), calls: z.number(), covered_ms: z.number() }))
})

export const windowSchema = z.object({
  seconds: z.number(),
  requests: z.number().int(),
  finished_requests: z.number().int(),
  labelled_samples: z.number().int(),
  samples: z.number().int(),
  dropped_spans: z.number().int(),
  pause_ms: z.number()
})

export const diagnosisSchema = z.object({
  id: z.string(),
  findings: z.array(findingSchema),
  healthy: z.boolean(),
  window: windowSchema,
  spans: z.array(spanTimesSchema)
})

export type Finding = z.infer<typeof findingSchema>
export type SpanTimesReport = z.infer<typeof spanTimesSchema>
export type Diagnosis = z.infer<typeof diagnosisSchema>

/** @returns `value` rounded to `digits` decimals: a report of 412.33333 ms claims a precision nobody measured */
export function round(value: number, digits = 1): number {
  const factor = 10 ** digits
  return Math.round(value * factor) / factor
}
