/** Findings about CPU: which line of which function in which span costs how much per request. */
import path from 'node:path'
import { fitCpuGrowth, type Growth } from '../evidence/complexity.ts'
import { GARBAGE_COLLECTION } from '../evidence/cpu-samples.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { findHotFunctions, type HotFunction } from '../evidence/hot-functions.ts'
import { heaviestLine } from '../evidence/line-index.ts'
import { restoreLostFrames } from '../evidence/lost-frames.ts'
import type { SourceRange } from '../evidence/source-ranges.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import { OUTSIDE_SPANS, type SpanTree } from '../evidence/span-tree.ts'
import { addTo, sum } from '../evidence/tally.ts'
import { type Finding, round } from './finding.ts'
import { describeGrowth, toComplexity } from './growth-text.ts'
import { percent, suggestFix } from './suggestion.ts'
import { MIN_BACKGROUND_SHARE, MIN_FAULT_SAMPLES, MIN_REPORTED_CPU_MS, OUTLIER_FACTOR } from './thresholds.ts'

/** What records a window, and what hands its parts to the thread that concludes. */
const WATCHING_DIRS = ['../evidence', '.'].map((dir) => path.resolve(import.meta.dirname, dir) + path.sep)

interface Cost {
  msPerRequest: number
  /** How many of the span's requests pay it. */
  affected: number
  requests: number
  isFault: boolean
}

/** @param minCpuMs CPU per request from which on a finding is a fault */
export function findCpuFindings(
  evidence: Evidence,
  tree: SpanTree,
  sources: SourceTree,
  minCpuMs: number
): Finding[] {
  const hotFunctions = restoreLostFrames(
    findHotFunctions(evidence.samples, tree, evidence.lines, sources),
    sources
  )
  const msBySpan = new Map<string, number>()
  for (const { spanName, costMs } of hotFunctions) {
    addTo(msBySpan, spanName, costMs)
  }
  return hotFunctions.flatMap((hot) => {
    const isOutside = hot.spanName === OUTSIDE_SPANS
    // What a window does to watch is nothing to report of what it watches.
    if (isOutside && WATCHING_DIRS.some((dir) => hot.file?.startsWith(dir))) return []
    const cost = isOutside ? costOutsideSpans(hot, tree, evidence) : costPerRequest(hot, tree, minCpuMs)
    if (cost.msPerRequest < MIN_REPORTED_CPU_MS || hot.samples < 2) return []
    // A collection whose cause was not seen either names nothing that could be mended.
    if (!cost.isFault && hot.functionName === GARBAGE_COLLECTION) return []
    const shareOfSpan = hot.costMs / (msBySpan.get(hot.spanName) ?? hot.costMs)
    // The span's growth is the function's only where it makes up the most of it.
    const growth =
      cost.isFault && shareOfSpan > 0.5 ? fitCpuGrowth(tree.byName.get(hot.spanName) ?? [], tree) : undefined
    return [toFinding(hot, cost, growth, shareOfSpan, sources)]
  })
}

/**
 * The mean over the requests that ran the span. A cost that hits only a few of them drowns in that mean: where
 * one request alone pays a multiple of the threshold, the mean is taken over the requests that pay.
 */
function costPerRequest(hot: HotFunction, tree: SpanTree, minCpuMs: number): Cost {
  const costs = listCosts(hot, tree)
  const average = mean(costs)
  const most = Math.max(...costs)
  const enoughSamples = hot.samples >= MIN_FAULT_SAMPLES
  const isOutlier = average < minCpuMs && most >= OUTLIER_FACTOR * minCpuMs
  const paying = costs.filter((ms) => ms >= (isOutlier ? most / 2 : Number.MIN_VALUE))
  return {
    msPerRequest: isOutlier ? mean(paying) : average,
    affected: paying.length,
    requests: costs.length,
    isFault: enoughSamples && (isOutlier || average >= minCpuMs)
  }
}

/** Work that no request asked for: counted against the clock, and shown as what it takes from each request. */
function costOutsideSpans(hot: HotFunction, tree: SpanTree, { startMs, endMs }: Evidence): Cost {
  const requests = Math.max(tree.requests.length, 1)
  return {
    msPerRequest: hot.costMs / requests,
    affected: requests,
    requests,
    isFault:
      hot.file !== null &&
      hot.samples >= MIN_FAULT_SAMPLES &&
      hot.costMs >= MIN_BACKGROUND_SHARE * (endMs - startMs)
  }
}

/**
 * What each request that ran the span paid, 0 included. A request still running in that span counts once it has
 * paid as much as the finished ones on the mean: before, its cost is not known yet.
 */
function listCosts(hot: HotFunction, tree: SpanTree): number[] {
  const finished = new Map<string, boolean>()
  for (const span of tree.byName.get(hot.spanName) ?? []) {
    const request = tree.requestOf(span)
    if (request !== undefined) finished.set(request, (finished.get(request) ?? true) && span.ended)
  }
  const costs = [...finished].map(([request, isFinished]) => ({
    ms: hot.costByRequest.get(request) ?? 0,
    isFinished
  }))
  const known = costs.filter(({ isFinished }) => isFinished).map(({ ms }) => ms)
  const running = costs.filter(({ isFinished }) => !isFinished).map(({ ms }) => ms)
  return known.length === 0 ? running : [...known, ...running.filter((ms) => ms >= mean(known))]
}

function mean(values: number[]): number {
  return sum(values) / values.length
}

function toFinding(
  hot: HotFunction,
  cost: Cost,
  growth: Growth | undefined,
  shareOfSpan: number,
  sources: SourceTree
): Finding {
  const line = hot.file === null ? undefined : (heaviestLine(hot.lines) ?? hot.chain.at(-1)?.line)
  const file = hot.file === null ? null : sources.relativePath(hot.file)
  const source = hot.file !== null && line !== undefined ? sources.lineText(hot.file, line) : null
  const loop = hot.file !== null && line !== undefined ? sources.loopAt(hot.file, line) : undefined
  const place = file === null ? hot.functionName : `${file}:${line}`
  return {
    kind: 'cpu',
    severity: cost.isFault ? 'fault' : 'info',
    span: hot.spanName,
    function: hot.functionName,
    file,
    line: line ?? null,
    line_exact: hot.resolvedShare >= 0.5,
    chain: toChain(hot, line, sources),
    share_of_span: round(shareOfSpan, 3),
    cost_ms_per_request: round(cost.msPerRequest),
    ...(growth ? { complexity: toComplexity(growth) } : {}),
    samples: Math.round(hot.samples),
    evidence: describeEvidence(hot, cost, growth, shareOfSpan, loop),
    suggestion: suggestFix({ hot, place, source, loop, growth })
  }
}

/** The heaviest stack, ending on the line that is heaviest over all stacks. */
function toChain(hot: HotFunction, line: number | undefined, sources: SourceTree): Finding['chain'] {
  return hot.chain.map((link, index) => {
    const isLast = index === hot.chain.length - 1
    const shown = isLast && line !== undefined ? line : link.line
    return {
      function: link.functionName,
      file: sources.relativePath(link.file),
      line: shown,
      source: sources.lineText(link.file, shown)
    }
  })
}

function describeEvidence(
  hot: HotFunction,
  cost: Cost,
  growth: Growth | undefined,
  shareOfSpan: number,
  loop: SourceRange | undefined
): string[] {
  return [
    `${round(cost.msPerRequest)} ms per request in ${cost.affected} of ${cost.requests} requests (${Math.round(hot.samples)} samples)`,
    `${percent(shareOfSpan)} of the CPU that ${hot.spanName} uses itself`,
    ...(hot.isDeduced ? [describeDeduction(hot)] : describeLines(hot)),
    ...(loop && loop.endLine > loop.startLine
      ? [`inside the loop of lines ${loop.startLine} to ${loop.endLine}`]
      : []),
    ...describeCallees(hot),
    ...(hot.gcMs > hot.costMs / 100 ? [`${percent(hot.gcMs / hot.costMs)} of it is garbage collection`] : []),
    ...(hot.blockedMs > hot.costMs / 10
      ? [`${percent(hot.blockedMs / hot.costMs)} of it blocks in a system call`]
      : []),
    ...(growth ? [describeGrowth(growth)] : [])
  ]
}

function describeDeduction({ chain, functionName }: HotFunction): string {
  const call = chain.at(-2)
  return (
    `V8 shows it on the call in line ${call?.line} of ${call?.functionName}, outside of any loop: ` +
    `deduced from the source, ${functionName} being the only function with a loop that it can call`
  )
}

function describeLines(hot: HotFunction): string[] {
  const total = sum(hot.lines.values())
  if (total === 0) return []
  const shares = [...hot.lines].sort((a, b) => b[1] - a[1]).slice(0, 3)
  return [shares.map(([line, ms]) => `line ${line}: ${percent(ms / total)}`).join(', ')]
}

function describeCallees(hot: HotFunction): string[] {
  const callees = [...hot.callees].sort((a, b) => b[1] - a[1]).slice(0, 3)
  if (callees.length === 0) return []
  return [`beneath it: ${callees.map(([name, ms]) => `${name} ${percent(ms / hot.costMs)}`).join(', ')}`]
}
