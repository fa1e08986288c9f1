/** Folds the labelled samples into a tree for a flame graph: span → our functions with their lines → callees. */
import type { CpuSample, Frame } from './cpu-samples.ts'
import { type LineIndex, lineOfFrame } from './line-index.ts'
import type { SourceTree } from './source-tree.ts'
import type { SpanTree } from './span-tree.ts'

/** The shape d3-flame-graph reads; times are ms with callees. */
export interface FlameNode {
  name: string
  /** Relative path, for a frame of our own. */
  file?: string
  line?: number
  /** What it took from the main thread. */
  value: number
  /** How long it held the thread, which may have waited for a core. */
  wall_ms: number
  children: FlameNode[]
}

/** @returns the tree; spans are its first level, samples without a span are left out */
export function buildFlameTree(
  samples: readonly CpuSample[],
  tree: SpanTree,
  lines: LineIndex,
  sources: SourceTree
): FlameNode {
  const root: FlameNode = { name: 'all requests', value: 0, wall_ms: 0, children: [] }
  for (const sample of samples) {
    const span = tree.find(sample.spanId)
    if (!span || sample.wallMs === 0) continue
    add(root, sample)
    let node = grow(root, { name: span.name }, sample)
    for (let depth = sample.frames.length - 1; depth >= 0; depth--) {
      node = grow(node, describeFrame(sample.frames, depth, lines, sources), sample)
    }
  }
  return root
}

function grow(
  parent: FlameNode,
  key: Pick<FlameNode, 'name' | 'file' | 'line'>,
  sample: CpuSample
): FlameNode {
  let child = parent.children.find((node) => node.name === key.name && node.line === key.line)
  if (!child) {
    child = { ...key, value: 0, wall_ms: 0, children: [] }
    parent.children.push(child)
  }
  add(child, sample)
  return child
}

function add(node: FlameNode, { costMs, wallMs }: CpuSample): void {
  node.value += costMs
  node.wall_ms += wallMs
}

function describeFrame(frames: Frame[], depth: number, lines: LineIndex, sources: SourceTree) {
  const frame = frames[depth] as Frame
  const functionName = frame.functionName || '(anonymous)'
  if (!sources.isOwn(frame.file)) return { name: functionName }
  const line = lineOfFrame(lines, frames, depth)
  const file = sources.relativePath(frame.file)
  return { name: `${functionName} ${file}:${line}`, file, line }
}
