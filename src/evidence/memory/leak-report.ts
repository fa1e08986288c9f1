/** The answer of a leak check, as the API gives it. */
import { z } from 'zod'

export const leakReportSchema = z.object({
  iterations: z.int().describe('asked for'),
  iterations_run: z.int().describe('what the verdict took'),
  final_growth_mb: z.number(),
  average_growth_per_iteration_mb: z.number(),
  leak_detected: z.boolean(),
  verdict: z.enum(['leak', 'bounded', 'clean', 'inconclusive']),
  reason: z.string().describe('what the verdict rests on'),
  growth_bytes_per_iteration: z.number(),
  retained_by: z.string().nullable().describe('the variable'),
  allocated_at: z.string().nullable().describe('file:line of the insertion'),
  growing_types: z.array(
    z.object({ type: z.string(), count_per_iteration: z.number(), bytes_per_iteration: z.number() })
  ),
  proof: z
    .object({
      cleared: z.string(),
      freed_mb: z.number(),
      predicted_mb: z.number(),
      ratio: z.number()
    })
    .nullable()
    .describe('what clearing the container gave back, against what the growth predicts'),
  history_mb: z.array(z.number()).describe('heap and external memory after each collection'),
  judged: z.string().describe('the code that was run; nothing else was judged'),
  cost: z.object({ duration_ms: z.number(), cpu_ms: z.number(), peak_rss_mb: z.number() })
})

export type LeakReport = z.infer<typeof leakReportSchema>
