/**
 * Answers two questions about a stack of the labelled profile: on which line was its top frame, and on which
 * line does a frame make the call to the frame above it. See `line-profiler.ts` for where the lines come from.
 */
import type inspector from 'node:inspector'
import type { Frame } from './cpu-samples.ts'
import { toPath } from './cpu-samples.ts'
import type { CallerLineProfile, LineCapture } from './line-profiler.ts'
import { SAMPLING_INTERVAL_MICROS } from './profiler.ts'

/** Line → weight in samples. */
export type LineWeights = Map<number, number>

export interface LineIndex {
  /** Lines of `frames[0]` while it was on top of exactly this stack. */
  topLines(frames: Frame[]): LineWeights
  /** Lines from which `frames[depth]` called `frames[depth - 1]` in this stack. */
  callLines(frames: Frame[], depth: number): LineWeights
}

const NO_LINES: LineWeights = new Map()

export function createLineIndex(capture: LineCapture): LineIndex {
  const topLinesByStack = indexTopLines(capture.positionTicks)
  const callLinesByStack = indexCallLines(capture.callerLines)
  return {
    topLines(frames) {
      return topLinesByStack.get(stackKey(frames)) ?? NO_LINES
    },
    callLines(frames, depth) {
      return callLinesByStack.get(stackKey(frames.slice(depth - 1))) ?? NO_LINES
    }
  }
}

/** Root last, so that the stack of a caller is the tail of its callee's. */
function stackKey(frames: { functionName: string; file: string }[]): string {
  return frames.map(frameKey).join('\n')
}

function frameKey({ functionName, file }: { functionName: string; file: string }): string {
  return `${functionName}@${file}`
}

function indexTopLines(profile: inspector.Profiler.Profile): Map<string, LineWeights> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map<number, inspector.Profiler.ProfileNode>()
  for (const node of profile.nodes) {
    for (const child of node.children ?? []) parents.set(child, node)
  }
  const index = new Map<string, LineWeights>()
  for (const node of nodes.values()) {
    if (!node.positionTicks) continue
    const key = stackKey(stackOf(node, parents))
    for (const { line, ticks } of node.positionTicks) addWeight(index, key, line, ticks)
  }
  return index
}

function stackOf(leaf: inspector.Profiler.ProfileNode, parents: Map<number, inspector.Profiler.ProfileNode>) {
  const frames: { functionName: string; file: string }[] = []
  for (let node: inspector.Profiler.ProfileNode | undefined = leaf; node; node = parents.get(node.id)) {
    const { functionName, url } = node.callFrame
    if (functionName !== '(root)') frames.push({ functionName, file: toPath(url) })
  }
  return frames
}

function indexCallLines(profile: CallerLineProfile | undefined): Map<string, LineWeights> {
  const index = new Map<string, LineWeights>()
  let previousNanos = 0
  for (const sample of profile?.samples ?? []) {
    const nanos = Number(sample.elapsed_since_start_ns)
    // V8 takes a burst of samples as a profile starts: each counts for the time it stands for, not for one.
    const weight = Math.min((nanos - previousNanos) / 1000 / SAMPLING_INTERVAL_MICROS, 2)
    previousNanos = nanos
    addCallLines(index, profile as CallerLineProfile, sample.stack_id, weight)
  }
  return index
}

function addCallLines(
  index: Map<string, LineWeights>,
  profile: CallerLineProfile,
  stackId: number,
  weight: number
): void {
  const frames = (profile.stacks[stackId] ?? [])
    .map((id) => profile.frames[id])
    .filter((frame) => frame !== undefined && frame.function !== '(root)')
    .map((frame) => ({
      functionName: frame?.function ?? '',
      file: toPath(frame?.abs_path ?? ''),
      callLine: frame?.lineno ?? 0
    }))
  for (let depth = 0; depth < frames.length - 1; depth++) {
    const line = frames[depth]?.callLine
    if (line) addWeight(index, stackKey(frames.slice(depth)), line, weight)
  }
}

function addWeight(index: Map<string, LineWeights>, key: string, line: number, weight: number): void {
  const weights = index.get(key) ?? new Map<number, number>()
  weights.set(line, (weights.get(line) ?? 0) + weight)
  index.set(key, weights)
}
