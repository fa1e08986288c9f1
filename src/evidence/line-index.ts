/**
 * Answers two questions about a stack of the labelled profile: on which line was its top frame, and on which
 * line does a frame make the call to the frame above it. See `line-profiler.ts` for where the lines come from.
 */
import type { Frame } from './cpu-samples.ts'
import { toPath } from './cpu-samples.ts'
import type { CallerLineProfile, LineCapture } from './line-profiler.ts'
import { SAMPLING_INTERVAL_MICROS } from './sampling.ts'
import { addTo } from './tally.ts'

/** Line → weight in samples. */
export type LineWeights = Map<number, number>

/** Plain data, so that another thread can be asked. Its keys are stacks. */
export interface LineIndex {
  top: ReadonlyMap<string, LineWeights>
  call: ReadonlyMap<string, LineWeights>
}

const NO_WEIGHTS: LineWeights = new Map()

/** Knows no line at all. */
export const NO_LINES: LineIndex = { top: new Map(), call: new Map() }

export function createLineIndex(captures: readonly LineCapture[]): LineIndex {
  const top = new Map<string, LineWeights>()
  const call = new Map<string, LineWeights>()
  for (const { positionTicks, callerLines } of captures) {
    addTopLines(top, positionTicks)
    if (callerLines) addCallLines(call, callerLines)
  }
  return { top, call }
}

/**
 * @param depth of a frame in `frames`, which are leaf first
 * @returns the lines that frame was on: itself on top of the stack, or in its call of the frame above it
 */
export function linesOfFrame(index: LineIndex, frames: readonly Frame[], depth: number): LineWeights {
  const weights =
    depth === 0 ? index.top.get(stackKey(frames)) : index.call.get(stackKey(frames.slice(depth - 1)))
  return weights ?? NO_WEIGHTS
}

/** @returns the line that frame was on most, or where its function begins when none is known */
export function lineOfFrame(index: LineIndex, frames: readonly Frame[], depth: number): number {
  return heaviestLine(linesOfFrame(index, frames, depth)) ?? frames[depth]?.startLine ?? 0
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

interface NamedFrame {
  functionName: string
  file: string
}

/** Root first, so that a callee's key is its caller's with one frame more. */
function stackKey(frames: readonly NamedFrame[]): string {
  return frames.reduceRight(extendKey, '')
}

function extendKey(callerKey: string, { functionName, file }: NamedFrame): string {
  return `${callerKey}${functionName}@${file}\n`
}

function addTopLines(index: Map<string, LineWeights>, { nodes }: LineCapture['positionTicks']): void {
  const keys = new Map<number, string>()
  // A node comes before its children.
  for (const node of nodes) {
    const { functionName, url } = node.callFrame
    const callerKey = keys.get(node.id) ?? ''
    const key = functionName === '(root)' ? '' : extendKey(callerKey, { functionName, file: toPath(url) })
    for (const child of node.children ?? []) keys.set(child, key)
    for (const { line, ticks } of node.positionTicks ?? []) addWeight(index, key, line, ticks)
  }
}

function addCallLines(index: Map<string, LineWeights>, profile: CallerLineProfile): void {
  const files = profile.frames.map((frame) => toPath(frame.abs_path ?? ''))
  for (const [stackId, weight] of weighStacks(profile)) {
    let key = ''
    for (const id of profile.stacks[stackId]?.toReversed() ?? []) {
      const frame = profile.frames[id]
      if (!frame || frame.function === '(root)') continue
      key = extendKey(key, { functionName: frame.function, file: files[id] ?? '' })
      if (frame.lineno > 0) addWeight(index, key, frame.lineno, weight)
    }
  }
}

/** @returns stack id → weight in sampling intervals */
function weighStacks({ samples }: CallerLineProfile): Map<number, number> {
  const weights = new Map<number, number>()
  let previousNanos = 0
  for (const { stack_id: stackId, elapsed_since_start_ns: elapsed } of samples) {
    const nanos = Number(elapsed)
    // V8 takes a burst of samples as a profile starts: each counts for the time it stands for, not for one.
    const intervals = (nanos - previousNanos) / 1000 / SAMPLING_INTERVAL_MICROS
    previousNanos = nanos
    addTo(weights, stackId, Math.min(intervals, 2))
  }
  return weights
}

function addWeight(index: Map<string, LineWeights>, key: string, line: number, weight: number): void {
  const weights = index.get(key) ?? new Map<number, number>()
  addTo(weights, line, weight)
  index.set(key, weights)
}
