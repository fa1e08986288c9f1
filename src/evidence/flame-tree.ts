/** Folds the labelled samples into a tree for a flame graph: span → our functions with their lines → callees. */
import type { CpuSample, Frame } from './cpu-samples.ts'
import { type LineIndex, lineOfFrame } from './line-index.ts'
import type { SourceTree } from './source-tree.ts'
import type { SpanTree } from './span-tree.ts'

/** The shape d3-flame-graph reads; `value` is ms that it took from the main thread, callees included. */
export interface FlameNode {
  name: string
  /** Relative path, for a frame of our own. */
  file?: string
  line?: number
  value: number
  children: FlameNode[]
}

/** @returns the tree; spans are its first level, samples without a span are left out */
export function buildFlameTree(
  samples: readonly CpuSample[],
  tree: SpanTree,
  lines: LineIndex,
  sources: SourceTree
): FlameNode {
  const root: FlameNode = { name: 'all requests', value: 0, children: [] }
  for (const sample of samples) {
    const span = tree.find(sample.spanId)
    if (!span || sample.costMs === 0) continue
    let node = grow(root, { name: span.name }, sample.costMs)
    root.value += sample.costMs
    for (let depth = sample.frames.length - 1; depth >= 0; depth--) {
      node = grow(node, describeFrame(sample.frames, depth, lines, sources), sample.costMs)
    }
  }
  return root
}

function grow(parent: FlameNode, key: Pick<FlameNode, 'name' | 'file' | 'line'>, ms: number): FlameNode {
  let child = parent.children.find((node) => node.name === key.name && node.line === key.line)
  if (!child) {
    child = { ...key, value: 0, children: [] }
    parent.children.push(child)
  }
  child.value += ms
  return child
}

function describeFrame(frames: Frame[], depth: number, lines: LineIndex, sources: SourceTree) {
  const frame = frames[depth] as Frame
  const functionName = frame.functionName || '(anonymous)'
  if (!sources.isOwn(frame.file)) return { name: functionName }
  const line = lineOfFrame(lines, frames, depth)
  const file = sources.relativePath(frame.file)
  return { name: `${functionName} ${file}:${line}`, file, line }
}
