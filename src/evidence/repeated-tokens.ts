/** Calls to a model whose input repeats itself, and what the repeats cost, as the spans of a window tell it. */
import { SpanKind } from '@opentelemetry/api'
import { type CallSite, findCallSite } from './call-site.ts'
import { fitLine, T_95 } from './complexity.ts'
import type { SourceTree } from './source-tree.ts'
import type { RecordedSpan } from './span-recorder.ts'
import type { SpanTree } from './span-tree.ts'

/** OpenTelemetry's name for it; the repeats, which it has no name for, stand beside it. */
const INPUT_TOKENS = 'gen_ai.usage.input_tokens'
const REPEATED_TOKENS = 'llm.repeated_prompt_tokens'
const REPEATED_COST_USD = 'llm.repeated_prompt_cost_usd'

/** Fewer calls can't carry a time for each token. */
const MIN_CALLS = 5
/** Nor can an interval that is wider than this share of it, to either side. */
const MAX_MARGIN = 0.3

/** How long the model takes for an input token. */
export interface TokenTime {
  msPerToken: number
  /** True where the calls don't carry more: the fastest one's time, as if all of it went by the input. */
  isUpperBound: boolean
}

/** Means over the calls of spans of one name. */
export interface RepeatedTokens {
  spanName: string
  calls: number
  inputTokens: number
  repeatedTokens: number
  /** Unknown where the model has no price. */
  repeatedUsd?: number
  time?: TokenTime
  spanMs: number
  callSite?: CallSite
}

/** @returns one entry for each name of spans that call a model and were told how much of its input repeats */
export function measureRepeatedTokens(tree: SpanTree, sources: SourceTree): RepeatedTokens[] {
  return [...tree.byName].flatMap(([spanName, spans]) => {
    const calls = spans.filter((span) => span.ended && typeof span.attributes[REPEATED_TOKENS] === 'number')
    return calls.length === 0 ? [] : [measureCalls(spanName, calls, tree, sources)]
  })
}

function measureCalls(
  spanName: string,
  calls: RecordedSpan[],
  tree: SpanTree,
  sources: SourceTree
): RepeatedTokens {
  const repeatedUsd = meanOf(calls, REPEATED_COST_USD)
  const time = measureTokenTime(calls, tree)
  const stack = calls.find(({ startStack }) => startStack !== undefined)?.startStack
  const callSite = stack === undefined ? undefined : findCallSite(stack, sources)
  return {
    spanName,
    calls: calls.length,
    inputTokens: meanOf(calls, INPUT_TOKENS) ?? 0,
    repeatedTokens: meanOf(calls, REPEATED_TOKENS) ?? 0,
    ...(repeatedUsd !== undefined && { repeatedUsd }),
    ...(time && { time }),
    spanMs: calls.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0) / calls.length,
    ...(callSite && { callSite })
  }
}

function meanOf(calls: RecordedSpan[], attribute: string): number | undefined {
  const values = calls
    .map(({ attributes }) => attributes[attribute])
    .filter((each) => typeof each === 'number')
  if (values.length < calls.length) return undefined
  return values.reduce((sum, each) => sum + each, 0) / values.length
}

function measureTokenTime(calls: RecordedSpan[], tree: SpanTree): TokenTime | undefined {
  const points = calls.flatMap((call) => toPoint(call, tree))
  if (points.length === 0) return undefined
  const fitted = fitMsPerToken(points)
  return fitted === undefined
    ? { msPerToken: Math.min(...points.map(([tokens, ms]) => ms / tokens)), isUpperBound: true }
    : { msPerToken: fitted, isUpperBound: false }
}

/** Input tokens, and the ms of the one client span that waits for the answer. */
function toPoint(call: RecordedSpan, tree: SpanTree): [tokens: number, ms: number][] {
  const [request, ...others] = tree.childrenOf(call).filter(({ kind }) => kind === SpanKind.CLIENT)
  const tokens = call.attributes[INPUT_TOKENS]
  if (request === undefined || others.length > 0 || typeof tokens !== 'number' || tokens === 0) return []
  return [[tokens, request.endMs - request.startMs]]
}

/** The slope of a straight line through the points, where its 95 % interval is narrow. */
function fitMsPerToken(points: [tokens: number, ms: number][]): number | undefined {
  if (points.length < MIN_CALLS || new Set(points.map(([tokens]) => tokens)).size < 3) return undefined
  const { slope, slopeError } = fitLine(points)
  const margin = slopeError * (T_95[points.length - 3] ?? 2)
  return slope > 0 && margin <= MAX_MARGIN * slope ? slope : undefined
}
