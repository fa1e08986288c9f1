/** Database statements as the trace shows them: repeated under one parent (the N+1 pattern), or slow by themselves. */
import { type CallSite, findCallSite } from '../call-site.ts'
import type { CpuSample } from '../cpu-samples.ts'
import type { SourceTree } from '../source-tree.ts'
import type { RecordedSpan } from '../span-recorder.ts'
import { idleMsWithin } from '../span-times.ts'
import { type SpanTree, statementOf } from '../span-tree.ts'

/**
 * Times are how long the event loop had nothing else to do than wait: a loop that is busy with other requests
 * notices an answer late, and that is not the database's time.
 */
export interface RepeatedStatement {
  parentName: string
  statement: string
  /** Means over the parents that repeat it. */
  callsPerParent: number
  msPerParent: number
  parents: number
  callSite?: CallSite
}

/** The same statement this often under one parent is a loop, not a coincidence. */
export const MIN_REPEATS = 10

/** @returns repeated statements, the most time-consuming first */
export function findRepeatedStatements(
  tree: SpanTree,
  samples: readonly CpuSample[],
  sources: SourceTree
): RepeatedStatement[] {
  const groups = new Map<string, RecordedSpan[][]>()
  for (const parents of tree.byName.values()) {
    for (const parent of parents) collectRepeats(parent, tree, groups)
  }
  return [...groups.values()]
    .map((repeats) => summarize(repeats, tree, samples, sources))
    .sort((a, b) => b.msPerParent * b.parents - a.msPerParent * a.parents)
}

/** How a statement was used under spans of one name. */
export interface StatementUse {
  parentName: string
  statement: string
  /** Mean over its executions. */
  msPerCall: number
  medianMs: number
  slowestMs: number
  /** The mean with the time that the loop took to read the answer, and whatever else it did meanwhile. */
  durationMs: number
  calls: number
  callsPerParent: number
  callSite?: CallSite
}

/** @returns every statement, the slowest first */
export function measureStatements(
  tree: SpanTree,
  samples: readonly CpuSample[],
  sources: SourceTree
): StatementUse[] {
  const calls = [...tree.byName.values()].flat().filter((span) => statementOf(span) !== undefined)
  const groups = Map.groupBy(calls, (call) => `${tree.find(call.parentSpanId)?.name}\n${statementOf(call)}`)
  return [...groups.values()]
    .map((group) => measureUse(group, tree, samples, sources))
    .sort((a, b) => b.msPerCall - a.msPerCall)
}

function measureUse(
  calls: RecordedSpan[],
  tree: SpanTree,
  samples: readonly CpuSample[],
  sources: SourceTree
): StatementUse {
  const times = calls.map((call) => idleMsWithin([call], samples)).sort((a, b) => a - b)
  return {
    ...describe(calls, tree, sources),
    msPerCall: times.reduce((sum, ms) => sum + ms, 0) / calls.length,
    medianMs: times[Math.floor((times.length - 1) / 2)] ?? 0,
    slowestMs: times.at(-1) ?? 0,
    durationMs: calls.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0) / calls.length,
    calls: calls.length,
    callsPerParent: calls.length / new Set(calls.map(({ parentSpanId }) => parentSpanId)).size
  }
}

function collectRepeats(parent: RecordedSpan, tree: SpanTree, groups: Map<string, RecordedSpan[][]>): void {
  for (const [statement, calls] of Map.groupBy(tree.childrenOf(parent), statementOf)) {
    if (statement === undefined || calls.length < MIN_REPEATS) continue
    const key = `${parent.name}\n${statement}`
    groups.set(key, [...(groups.get(key) ?? []), calls])
  }
}

function summarize(
  repeats: RecordedSpan[][],
  tree: SpanTree,
  samples: readonly CpuSample[],
  sources: SourceTree
): RepeatedStatement {
  const calls = repeats.flat()
  return {
    ...describe(calls, tree, sources),
    callsPerParent: calls.length / repeats.length,
    msPerParent: idleMsWithin(calls, samples) / repeats.length,
    parents: repeats.length
  }
}

function describe(calls: RecordedSpan[], tree: SpanTree, sources: SourceTree) {
  const first = calls[0] as RecordedSpan
  const startStack = calls.find((call) => call.startStack !== undefined)?.startStack
  const callSite = startStack === undefined ? undefined : findCallSite(startStack, sources)
  return {
    parentName: tree.find(first.parentSpanId)?.name ?? first.name,
    statement: statementOf(first) ?? '',
    ...(callSite ? { callSite } : {})
  }
}
