/**
 * Joins the labelled samples with their lines: which of our functions, on which line, costs how much in which
 * span. A sample is charged to the innermost frame of our own source, also where the time itself is spent in
 * native code, a library or the garbage collector beneath it.
 */
import type { CpuSample, Frame } from './cpu-samples.ts'
import type { LineIndex, LineWeights } from './line-index.ts'
import type { SourceTree } from './source-tree.ts'
import type { SpanTree } from './span-tree.ts'

export interface HotFunction {
  spanName: string
  /** The nearest named function for a callback without a name. */
  functionName: string
  /** Absolute path; null when no frame of ours is on the stack. */
  file: string | null
  samples: number
  wallMs: number
  cpuMs: number
  gcMs: number
  /** Request (root span id) → ms. */
  msByRequest: Map<string, number>
  /** Hot lines, in ms. */
  lines: LineWeights
  /** Part of `wallMs` whose line is known from this very stack, 0..1. */
  resolvedShare: number
  /** What runs beneath the function where it is not its own code: callee → ms. */
  callees: Map<string, number>
  chain: ChainLink[]
}

export interface ChainLink {
  functionName: string
  file: string
  line: number
}

interface Charged {
  sample: CpuSample
  request: string
  spanName: string
  /** Stack of the sample; for garbage collection the stack that ran just before. */
  frames: Frame[]
  /** Index in `frames` of the innermost own frame; -1 when there is none. */
  ownDepth: number
  isGc: boolean
}

const GC = 'Garbage Collection'
const ANONYMOUS = '(anonymous)'

/** @returns the functions of every span, the most expensive first */
export function findHotFunctions(
  samples: readonly CpuSample[],
  tree: SpanTree,
  lines: LineIndex,
  sources: SourceTree
): HotFunction[] {
  const charged = chargeSamples(samples, tree, sources)
  const groups = Map.groupBy(charged, groupKey)
  return [...groups.values()]
    .map((group) => toHotFunction(group, lines, sources))
    .sort((a, b) => b.wallMs - a.wallMs)
}

function chargeSamples(samples: readonly CpuSample[], tree: SpanTree, sources: SourceTree): Charged[] {
  const charged: Charged[] = []
  const lastFrames = new Map<string, Frame[]>()
  for (const sample of samples) {
    const span = tree.find(sample.spanId)
    const request = span && tree.requestOf(span)
    if (!span || request === undefined || sample.wallMs === 0) continue
    const isGc = sample.frames[0]?.functionName === GC
    // The collector runs on a stack of its own: charge it to whoever was allocating in this span before.
    const frames = isGc ? (lastFrames.get(span.spanId) ?? sample.frames) : sample.frames
    if (!isGc) lastFrames.set(span.spanId, frames)
    const ownDepth = frames.findIndex((frame) => sources.isOwn(frame.file))
    charged.push({ sample, request, spanName: span.name, frames, ownDepth, isGc })
  }
  return charged
}

function groupKey({ spanName, frames, ownDepth }: Charged): string {
  if (ownDepth < 0) return `${spanName}\n${frames[0]?.functionName}\n`
  const { functionName, file } = namedFrame(frames, ownDepth)
  return `${spanName}\n${functionName}\n${file}`
}

/** The frame itself, or for a callback without a name the function it was written in. */
function namedFrame(frames: Frame[], ownDepth: number): Frame {
  const frame = frames[ownDepth] as Frame
  if (frame.functionName !== '') return frame
  const encloses = (outer: Frame) =>
    outer.file === frame.file && outer.functionName !== '' && outer.startLine <= frame.startLine
  return frames.slice(ownDepth).find(encloses) ?? { ...frame, functionName: ANONYMOUS }
}

function toHotFunction(group: Charged[], lines: LineIndex, sources: SourceTree): HotFunction {
  const first = group[0] as Charged
  const named = first.ownDepth < 0 ? undefined : namedFrame(first.frames, first.ownDepth)
  const hot: HotFunction = {
    spanName: first.spanName,
    functionName: named?.functionName ?? first.frames[0]?.functionName ?? ANONYMOUS,
    file: named?.file ?? null,
    samples: group.length,
    wallMs: 0,
    cpuMs: 0,
    gcMs: 0,
    msByRequest: new Map(),
    lines: new Map(),
    resolvedShare: 0,
    callees: new Map(),
    chain: []
  }
  for (const { sample, request, isGc } of group) {
    hot.wallMs += sample.wallMs
    hot.cpuMs += sample.cpuMs
    if (isGc) hot.gcMs += sample.wallMs
    add(hot.msByRequest, request, sample.wallMs)
  }
  if (named) placeOnLines(hot, group, lines, sources)
  return hot
}

function placeOnLines(hot: HotFunction, group: Charged[], lines: LineIndex, sources: SourceTree): void {
  const stacks = Map.groupBy(group, ({ frames }) => frames.map(frameKey).join('\n'))
  let resolvedMs = 0
  let heaviestMs = 0
  for (const members of stacks.values()) {
    const { frames, ownDepth } = members[0] as Charged
    const ms = members.reduce((sum, { sample }) => sum + sample.wallMs, 0)
    const weights = linesOfOwnFrame(frames, ownDepth, lines)
    if (spread(weights, ms, hot.lines)) resolvedMs += ms
    if (ownDepth > 0) add(hot.callees, calleeName(frames, ownDepth), ms)
    if (ms > heaviestMs) {
      heaviestMs = ms
      hot.chain = readChain(frames, ownDepth, lines, sources)
    }
  }
  hot.resolvedShare = resolvedMs / hot.wallMs
}

function frameKey({ functionName, file, startLine }: Frame): string {
  return `${functionName}@${file}:${startLine}`
}

function linesOfOwnFrame(frames: Frame[], ownDepth: number, lines: LineIndex): LineWeights {
  return ownDepth === 0 ? lines.topLines(frames) : lines.callLines(frames, ownDepth)
}

/** Distributes `ms` over `into` in proportion to `weights`. @returns false when there are none */
function spread(weights: LineWeights, ms: number, into: LineWeights): boolean {
  const sum = weights.values().reduce((total, weight) => total + weight, 0)
  if (sum === 0) return false
  for (const [line, weight] of weights) add(into, line, (ms * weight) / sum)
  return true
}

/** The function our frame called: of a library or the runtime, what was called first counts, not its insides. */
function calleeName(frames: Frame[], ownDepth: number): string {
  const callee = frames[ownDepth - 1] as Frame
  return callee.functionName || ANONYMOUS
}

/** @returns own frames from the outermost to the innermost, each on the line of its call */
function readChain(frames: Frame[], ownDepth: number, lines: LineIndex, sources: SourceTree): ChainLink[] {
  const chain: ChainLink[] = []
  for (let depth = frames.length - 1; depth >= ownDepth; depth--) {
    const frame = frames[depth] as Frame
    const isInside = depth > ownDepth
    if (!sources.isOwn(frame.file) || (isInside && sources.isPlumbing(frame.file))) continue
    const weights = depth === 0 ? lines.topLines(frames) : lines.callLines(frames, depth)
    chain.push({
      functionName: frame.functionName || ANONYMOUS,
      file: frame.file,
      line: heaviestLine(weights) ?? frame.startLine
    })
  }
  return chain
}

/** @returns the line with the most weight, or undefined without any */
export function heaviestLine(weights: LineWeights): number | undefined {
  let heaviest: number | undefined
  let most = 0
  for (const [line, weight] of weights) {
    if (weight > most) {
      most = weight
      heaviest = line
    }
  }
  return heaviest
}

function add<K>(map: Map<K, number>, key: K, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value)
}
