/** Before and after: what changed between two diagnoses, per request, by function and file. */
import { z } from 'zod'
import { addTo } from '../evidence/tally.ts'
import { type Diagnosis, type Finding, findingSchema, round } from './finding.ts'

const changeShape = { before_ms: z.number(), after_ms: z.number(), change_ms: z.number() }
const verdictSchema = z.object({ id: z.string(), healthy: z.boolean() })

export const comparisonSchema = z.object({
  before: verdictSchema,
  after: verdictSchema,
  /** By the size of the change, the largest first; without lines, since these move when code is mended. */
  findings: z.array(
    z.object({
      kind: findingSchema.shape.kind,
      span: z.string(),
      function: z.string().nullable(),
      file: z.string().nullable(),
      ...changeShape
    })
  ),
  spans: z.array(z.object({ span: z.string(), ...changeShape }))
})

export type Comparison = z.infer<typeof comparisonSchema>

/** What is in only one of the two counts as 0 ms in the other: it fell below what is reported. */
export function compareDiagnoses(before: Diagnosis, after: Diagnosis): Comparison {
  return {
    before: { id: before.id, healthy: before.healthy },
    after: { id: after.id, healthy: after.healthy },
    findings: compareFindings(before.findings, after.findings),
    spans: compareSpans(before, after)
  }
}

function compareFindings(before: Finding[], after: Finding[]): Comparison['findings'] {
  const costsBefore = sumByKey(before)
  const costsAfter = sumByKey(after)
  const firstByKey = new Map([...after, ...before].map((finding) => [keyOf(finding), finding]))
  return (
    [...firstByKey]
      .map(([key, { kind, span, function: fn, file }]) => ({
        kind,
        span,
        function: fn,
        file,
        ...change(costsBefore.get(key) ?? 0, costsAfter.get(key) ?? 0)
      }))
      // Growth and tokens have no ms to compare.
      .filter(({ before_ms, after_ms }) => before_ms !== 0 || after_ms !== 0)
      .sort((a, b) => Math.abs(b.change_ms) - Math.abs(a.change_ms))
  )
}

function keyOf({ kind, span, function: fn, file, statement }: Finding): string {
  return [kind, span, fn, file, statement].join('\n')
}

function sumByKey(findings: Finding[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const finding of findings) {
    const key = keyOf(finding)
    addTo(sums, key, finding.cost_ms_per_request ?? 0)
  }
  return sums
}

function compareSpans(before: Diagnosis, after: Diagnosis): Comparison['spans'] {
  const msBefore = new Map(before.spans.map(({ span, duration_ms }) => [span, duration_ms]))
  return after.spans
    .filter(({ span }) => msBefore.has(span))
    .map(({ span, duration_ms }) => ({ span, ...change(msBefore.get(span) ?? 0, duration_ms) }))
}

function change(beforeMs: number, afterMs: number) {
  return { before_ms: beforeMs, after_ms: afterMs, change_ms: round(afterMs - beforeMs) }
}
