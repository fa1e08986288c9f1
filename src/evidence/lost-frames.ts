/**
 * Puts costs back where V8 lost a frame. Some built-in code runs without a frame of its own (`indexOf` among
 * numbers, `Map.get`, a spread, a property looked up by name), and V8's profiler then takes the frame of the function
 * that calls it for that code's: measured, 20 to 90 % of the samples of such a loop stand on the line that calls
 * the function with the loop. The same where V8 inlined a function without its positions.
 */
import type { HotFunction } from './hot-functions.ts'
import { heaviestLine } from './line-index.ts'
import type { OwnFunction, SourceTree } from './source-tree.ts'
import { addTo, sum } from './tally.ts'

/** Of a function's cost, what has to stand on the line that calls another for it to be that one's. */
const MIN_SHARE_ON_LINE = 0.8

/** @returns the functions, the most expensive first, without those whose cost is a callee's */
export function restoreLostFrames(hotFunctions: readonly HotFunction[], sources: SourceTree): HotFunction[] {
  const absorbed = new Set<HotFunction>()
  for (const hot of hotFunctions) {
    // Of functions that call each other one has to stay.
    const others = hotFunctions.filter((other) => !absorbed.has(other))
    const callee = findSampledCallee(hot, others, sources)
    if (!callee) continue
    absorb(callee, hot)
    absorbed.add(hot)
  }
  return hotFunctions
    .filter((hot) => !absorbed.has(hot))
    .map((hot) => findUnseenCallee(hot, sources) ?? placeInLoop(hot, sources))
    .sort((a, b) => b.costMs - a.costMs)
}

/** A function that samples show beneath the very line on which `hot` is. */
function findSampledCallee(
  hot: HotFunction,
  others: readonly HotFunction[],
  sources: SourceTree
): HotFunction | undefined {
  const line = heaviestLine(hot.lines)
  return others.find(
    (other) =>
      other !== hot &&
      other.spanName === hot.spanName &&
      isCalledFrom(other, hot.file, line) &&
      (other.costMs > hot.costMs ||
        (isOnCallLine(hot) && (!isInLoopOfItsOwn(hot, sources) || isInLoopOfItsOwn(other, sources))))
  )
}

function isCalledFrom({ chain }: HotFunction, file: string | null, line: number | undefined): boolean {
  return chain.slice(0, -1).some((link) => link.file === file && link.line === line)
}

/**
 * The one function with a loop that the line calls. A line outside of any loop of its function runs once a call:
 * nothing but what it calls can be that expensive. Where that is a parameter, as in what wraps a stage into a span,
 * the function was passed to it further out, or, where an await has cut the stack, by whoever named the span.
 */
function findUnseenCallee(hot: HotFunction, sources: SourceTree): HotFunction | undefined {
  const line = heaviestLine(hot.lines)
  if (hot.file === null || line === undefined || !isOnCallLine(hot)) return undefined
  if (isInLoopOfItsOwn(hot, sources)) return undefined
  const withLoop = (fn: OwnFunction) =>
    fn.name !== hot.functionName && sources.innermostLoopsOf(fn).length > 0
  let candidates = sources.calleesAt(hot.file, line).filter(withLoop)
  for (const link of hot.chain.slice(0, -1).reverse()) {
    if (candidates.length > 0) break
    candidates = sources.passedAt(link.file, link.line).filter(withLoop)
  }
  if (candidates.length === 0) candidates = sources.passedWithText(hot.spanName).filter(withLoop)
  const [callee, ...others] = candidates
  return callee && others.length === 0 ? moveTo(callee, hot, sources) : undefined
}

function moveTo(callee: OwnFunction, hot: HotFunction, sources: SourceTree): HotFunction {
  const line = sources.innermostLoopsOf(callee)[0]?.startLine ?? callee.startLine
  const functionName = callee.name || (sources.functionAt(callee.file, line)?.name ?? '(anonymous)')
  return {
    ...hot,
    functionName,
    file: callee.file,
    lines: new Map([[line, hot.costMs]]),
    // The loop is known, which of its lines is not.
    resolvedShare: 0,
    isDeduced: true,
    chain: [...hot.chain, { functionName, file: callee.file, line }]
  }
}

/** A function that was sampled, but on no line, because V8 lost its frame nearly every time: in its loop, where it has one. */
function placeInLoop(hot: HotFunction, sources: SourceTree): HotFunction {
  const begin = hot.chain.at(-1)
  if (hot.file === null || begin === undefined || hot.lines.size > 0) return hot
  const fn = sources.functionFrom(hot.file, begin.line, hot.functionName)
  const [loop, ...others] = fn ? sources.innermostLoopsOf(fn) : []
  if (loop === undefined || others.length > 0) return hot
  return { ...hot, chain: [...hot.chain.slice(0, -1), { ...begin, line: loop.startLine }] }
}

/** Its cost is its own, and nearly all of it on one line. */
function isOnCallLine({ lines, callees, costMs }: HotFunction): boolean {
  const total = sum(lines.values())
  const most = Math.max(0, ...lines.values())
  return most >= MIN_SHARE_ON_LINE * total && sum(callees.values()) < (1 - MIN_SHARE_ON_LINE) * costMs
}

/** Its hottest line stands in a loop of the same function, not of one around it. */
function isInLoopOfItsOwn({ file, lines }: HotFunction, sources: SourceTree): boolean {
  const line = heaviestLine(lines)
  if (file === null || line === undefined) return false
  const loop = sources.loopAt(file, line)
  const fn = sources.functionAt(file, line)
  return loop !== undefined && (fn === undefined || loop.startLine >= fn.startLine)
}

function absorb(into: HotFunction, hot: HotFunction): void {
  into.samples += hot.samples
  into.costMs += hot.costMs
  into.blockedMs += hot.blockedMs
  into.gcMs += hot.gcMs
  for (const [request, ms] of hot.costByRequest) addTo(into.costByRequest, request, ms)
}
