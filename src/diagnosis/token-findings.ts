/** Findings about a model's input: how much of it repeats what it holds already. */
import type { RepeatedTokens, TokenTime } from '../evidence/repeated-tokens.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import { type Finding, round } from './finding.ts'
import { percent } from './suggestion.ts'
import { MIN_FAULT_REPEATS, MIN_REPORTED_REPEATS } from './thresholds.ts'

export function findTokenFindings(measured: readonly RepeatedTokens[], sources: SourceTree): Finding[] {
  return measured
    .filter((repeats) => passes(repeats, MIN_REPORTED_REPEATS))
    .map((repeats) => toFinding(repeats, sources))
}

function passes({ repeatedTokens, inputTokens }: RepeatedTokens, limit: typeof MIN_FAULT_REPEATS): boolean {
  return repeatedTokens >= limit.tokens && repeatedTokens >= limit.share * inputTokens
}

function toFinding(repeats: RepeatedTokens, sources: SourceTree): Finding {
  const { spanName, spanMs, repeatedTokens, time, callSite } = repeats
  // An upper bound is told as evidence; it is no cost to rank by.
  const costMs = time && !time.isUpperBound ? Math.min(time.msPerToken * repeatedTokens, spanMs) : undefined
  const file = callSite ? sources.relativePath(callSite.file) : null
  const line = callSite?.line ?? null
  const functionName = callSite?.functionName ?? null
  return {
    kind: 'tokens',
    severity: passes(repeats, MIN_FAULT_REPEATS) ? 'fault' : 'info',
    span: spanName,
    function: functionName,
    file,
    line,
    line_exact: callSite !== undefined,
    chain: callSite
      ? [
          {
            function: functionName ?? '(anonymous)',
            file: sources.relativePath(callSite.file),
            line: callSite.line,
            source: sources.lineText(callSite.file, callSite.line)
          }
        ]
      : [],
    share_of_span: costMs === undefined ? 0 : round(costMs / spanMs, 3),
    ...(costMs !== undefined && { cost_ms_per_request: round(costMs) }),
    tokens_per_request: Math.round(repeatedTokens),
    samples: 0,
    evidence: describe(repeats),
    suggestion:
      `Send each passage once: drop, before the model is called${file ? ` on ${file}:${line}` : ''}, the sentences ` +
      'and lines that the input holds already.'
  }
}

function describe({ calls, inputTokens, repeatedTokens, repeatedUsd, time }: RepeatedTokens): string[] {
  const share = percent(repeatedTokens / inputTokens)
  const counts = `${Math.round(repeatedTokens)} of ${Math.round(inputTokens)} input tokens are repeats (${share})`
  return [
    `${counts}, on the mean of ${calls} calls`,
    ...(time ? [describeTime(time, repeatedTokens)] : []),
    ...(repeatedUsd === undefined ? [] : [`${round(repeatedUsd, 5)} USD a request for the repeats`])
  ]
}

function describeTime({ msPerToken, isUpperBound }: TokenTime, repeatedTokens: number): string {
  const each = `${round(msPerToken, 2)} ms an input token`
  const all = `${round(msPerToken * repeatedTokens)} ms a request for the repeats`
  return isUpperBound
    ? `the fastest call took ${each}, all its time counted: at most ${all}`
    : `the model takes ${each}: ${all}`
}
