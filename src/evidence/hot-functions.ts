/**
 * Joins the labelled samples with their lines: which of our functions, on which line, costs how much in which
 * span. A sample is charged to the innermost frame of our own source, also where the time itself is spent in
 * native code, a library or the garbage collector beneath it.
 */
import { type CpuSample, type Frame, frameKey, GARBAGE_COLLECTION } from './cpu-samples.ts'
import { locateCall, locateLines } from './inlined-lines.ts'
import { heaviestLine, type LineIndex, type LineWeights, lineOfFrame, linesOfFrame } from './line-index.ts'
import type { SourceTree } from './source-tree.ts'
import { OUTSIDE_SPANS, type SpanTree } from './span-tree.ts'
import { addTo, sum } from './tally.ts'

export interface HotFunction {
  spanName: string
  functionName: string
  /** Absolute path; null when no frame of ours is on the stack. */
  file: string | null
  /** May be a fraction: a sample is shared out where its stack was seen on lines of several functions. */
  samples: number
  /** What it takes from the thread; `blockedMs` and `gcMs` are parts of it. */
  costMs: number
  blockedMs: number
  gcMs: number
  /** Request (root span id) → cost in ms. */
  costByRequest: Map<string, number>
  /** Hot lines, in ms of cost. */
  lines: LineWeights
  /** Part of `costMs` whose line is known from this very stack, 0..1. */
  resolvedShare: number
  /** What runs beneath the function where it is not its own code: callee → ms. */
  callees: Map<string, number>
  /** True where no sample shows the function: see `lost-frames.ts`. */
  isDeduced?: true
  /** Our frames of the heaviest stack, outermost first, each on the line of its call. */
  chain: ChainLink[]
}

export interface ChainLink {
  functionName: string
  file: string
  line: number
}

/** Samples of one span with the same stack. */
interface StackGroup {
  spanName: string
  frames: Frame[]
  /** Index in `frames` of the innermost own frame; -1 when there is none. */
  ownDepth: number
  samples: number
  costMs: number
  blockedMs: number
  gcMs: number
  costByRequest: Map<string, number>
}

/** The part of a stack's samples that fell on lines of one function. */
interface Portion {
  functionName: string
  file: string | null
  lines: LineWeights
  share: number
  isResolved: boolean
  /** Of code that V8 inlined: the line of the frame's own function on which it is called. */
  callLine?: number | undefined
}

const ANONYMOUS = '(anonymous)'

/** @returns the functions of every span, and those outside of any, the most expensive first */
export function findHotFunctions(
  samples: readonly CpuSample[],
  tree: SpanTree,
  lines: LineIndex,
  sources: SourceTree
): HotFunction[] {
  const hotFunctions = new Map<string, { hot: HotFunction; heaviestMs: number }>()
  for (const group of groupByStack(samples, tree, sources)) {
    for (const portion of splitByFunction(group, lines, sources)) {
      const key = [group.spanName, portion.functionName, portion.file].join('\n')
      const entry = hotFunctions.get(key) ?? { hot: createHotFunction(group, portion), heaviestMs: 0 }
      hotFunctions.set(key, entry)
      addPortion(entry.hot, group, portion)
      if (group.costMs * portion.share > entry.heaviestMs) {
        entry.heaviestMs = group.costMs * portion.share
        entry.hot.chain = readChain(group, portion, lines, sources)
      }
    }
  }
  return [...hotFunctions.values()].map(({ hot }) => hot).sort((a, b) => b.costMs - a.costMs)
}

function groupByStack(samples: readonly CpuSample[], tree: SpanTree, sources: SourceTree): StackGroup[] {
  const groups = new Map<string, StackGroup>()
  const lastFrames = new Map<string, Frame[]>()
  for (const sample of samples) {
    const span = tree.find(sample.spanId)
    const request = span && tree.requestOf(span)
    // A span that is not known began before the window or has not ended: not work outside of spans.
    const isOutside = sample.spanId === undefined
    if (sample.wallMs === 0 || (request === undefined && !isOutside)) continue
    const spanName = span?.name ?? OUTSIDE_SPANS
    const isGc = sample.frames[0]?.functionName === GARBAGE_COLLECTION
    const allocator = sample.spanId ?? OUTSIDE_SPANS
    // The collector runs on a stack of its own: charge it to whoever was allocating in this span before.
    const frames = isGc ? (lastFrames.get(allocator) ?? sample.frames) : sample.frames
    if (!isGc) lastFrames.set(allocator, frames)
    const key = [spanName, ...frames.map(frameKey)].join('\n')
    const group = groups.get(key) ?? createStackGroup(spanName, frames, sources)
    groups.set(key, group)
    group.samples += 1
    group.costMs += sample.costMs
    if (sample.isBlocked) group.blockedMs += sample.costMs
    if (isGc) group.gcMs += sample.costMs
    if (request !== undefined) addTo(group.costByRequest, request, sample.costMs)
  }
  return [...groups.values()]
}

function createStackGroup(spanName: string, frames: Frame[], sources: SourceTree): StackGroup {
  return {
    spanName,
    frames,
    ownDepth: findOwnDepth(frames, sources),
    samples: 0,
    costMs: 0,
    blockedMs: 0,
    gcMs: 0,
    costByRequest: new Map()
  }
}

/** @returns the depth of the innermost own function, but for those that only pass a call on to a library; -1 for none */
function findOwnDepth(frames: readonly Frame[], sources: SourceTree): number {
  const own = frames.findIndex(({ file }) => sources.isOwn(file))
  const beyond = frames.findIndex(
    ({ file }, depth) => sources.isOwn(file) && !passesOn(frames, depth, sources)
  )
  return beyond === -1 ? own : beyond
}

function passesOn(frames: readonly Frame[], depth: number, sources: SourceTree): boolean {
  const callee = frames[depth - 1]?.file ?? ''
  return sources.isPlumbing(frames[depth]?.file ?? '') && callee.includes('/node_modules/')
}

/** V8 puts the lines of what it inlined into its caller's frame, and a callback has no name: the source tells. */
function splitByFunction({ frames, ownDepth }: StackGroup, lines: LineIndex, sources: SourceTree): Portion[] {
  const frame = frames[ownDepth]
  if (!frame) {
    const functionName = frames[0]?.functionName || ANONYMOUS
    return [{ functionName, file: null, lines: new Map(), share: 1, isResolved: false }]
  }
  const weights = linesOfFrame(lines, frames, ownDepth)
  const total = sum(weights.values())
  const ofFrame = { functionName: nameOf(frame, sources), file: frame.file, lines: new Map<number, number>() }
  if (total === 0) return [{ ...ofFrame, share: 1, isResolved: false }]
  const portions = new Map<string, Portion>()
  for (const [line, place] of locateLines(frame, weights, sources)) {
    const weight = weights.get(line) ?? 0
    const { file, functionName } = place ?? ofFrame
    const key = `${functionName}\n${file}\n${place !== undefined}`
    const portion = portions.get(key) ?? {
      functionName: functionName ?? (frame.functionName || ANONYMOUS),
      file,
      lines: new Map<number, number>(),
      share: 0,
      isResolved: place !== undefined,
      callLine: place?.callLine
    }
    portions.set(key, portion)
    portion.share += weight / total
    // The line of a library's code says nothing about this file.
    if (place) addTo(portion.lines, line, weight)
  }
  return [...portions.values()]
}

function nameOf({ file, startLine, functionName }: Frame, sources: SourceTree): string {
  return sources.functionAt(file, startLine)?.name ?? (functionName || ANONYMOUS)
}

function createHotFunction({ spanName }: StackGroup, { functionName, file }: Portion): HotFunction {
  return {
    spanName,
    functionName,
    file,
    samples: 0,
    costMs: 0,
    blockedMs: 0,
    gcMs: 0,
    costByRequest: new Map(),
    lines: new Map(),
    resolvedShare: 0,
    callees: new Map(),
    chain: []
  }
}

function addPortion(hot: HotFunction, group: StackGroup, { lines, share, isResolved }: Portion): void {
  const ms = group.costMs * share
  const resolvedMs = hot.resolvedShare * hot.costMs + (isResolved ? ms : 0)
  hot.samples += group.samples * share
  hot.costMs += ms
  hot.blockedMs += group.blockedMs * share
  hot.gcMs += group.gcMs * share
  hot.resolvedShare = hot.costMs === 0 ? 0 : resolvedMs / hot.costMs
  for (const [request, requestMs] of group.costByRequest) addTo(hot.costByRequest, request, requestMs * share)
  const weight = sum(lines.values())
  for (const [line, lineWeight] of lines) addTo(hot.lines, line, (ms * lineWeight) / weight)
  // Of a library or the runtime, what our function called counts, not its insides.
  const callee = group.ownDepth > 0 ? group.frames[group.ownDepth - 1] : undefined
  if (callee) addTo(hot.callees, callee.functionName || ANONYMOUS, ms)
}

function readChain(group: StackGroup, portion: Portion, lines: LineIndex, sources: SourceTree): ChainLink[] {
  const { frames, ownDepth } = group
  const chain: ChainLink[] = []
  for (let depth = frames.length - 1; depth > ownDepth; depth--) {
    const frame = frames[depth] as Frame
    if (!sources.isOwn(frame.file) || sources.isPlumbing(frame.file)) continue
    const line = lineOfFrame(lines, frames, depth)
    const place = locateCall(frame, line, sources)
    const functionName = place?.functionName ?? nameOf(frame, sources)
    chain.push({ functionName, file: place?.file ?? frame.file, line: place?.line ?? frame.startLine })
  }
  const own = frames[ownDepth]
  if (own && portion.file !== null) {
    const { functionName, file, callLine } = portion
    if (callLine !== undefined) {
      chain.push({ functionName: nameOf(own, sources), file: own.file, line: callLine })
    }
    chain.push({ functionName, file, line: heaviestLine(portion.lines) ?? own.startLine })
  }
  return chain
}
