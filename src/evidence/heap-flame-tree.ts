/** Folds the sampled heap into a tree for a flame graph: who called whom to allocate what is alive now. */
import type { Profile } from 'pprof-format'
import { createFrameReader, type Frame } from './cpu-samples.ts'
import type { SourceTree } from './source-tree.ts'

const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/

/** The shape d3-flame-graph reads. */
export interface HeapFlameNode {
  name: string
  /** Relative path, for a frame of our own, … */
  file?: string
  /** … and the line where its function begins: V8's heap sampler knows no other. */
  line?: number
  /** Of a frame in a library: the package's name. */
  package?: string
  /** Live bytes, those of its callees included. */
  value: number
  /** Live objects, likewise. */
  objects: number
  children: HeapFlameNode[]
}

/** @param profile objects and bytes by stack, as `readHeapProfile` gives it */
export function buildHeapFlameTree(profile: Profile, sources: SourceTree): HeapFlameNode {
  const framesOf = createFrameReader(profile)
  const root: HeapFlameNode = { name: 'live heap', value: 0, objects: 0, children: [] }
  for (const sample of profile.sample) {
    const [objects = 0, bytes = 0] = sample.value.map(Number)
    let node = add(root, objects, bytes)
    for (const frame of framesOf(sample).reverse()) {
      node = add(childOf(node, describeFrame(frame, sources)), objects, bytes)
    }
  }
  return root
}

function add(node: HeapFlameNode, objects: number, bytes: number): HeapFlameNode {
  node.objects += objects
  node.value += bytes
  return node
}

function childOf(
  { children }: HeapFlameNode,
  key: Pick<HeapFlameNode, 'name' | 'file' | 'line' | 'package'>
): HeapFlameNode {
  const known = children.find((child) => child.name === key.name && child.package === key.package)
  if (known) return known
  const child = { ...key, value: 0, objects: 0, children: [] }
  children.push(child)
  return child
}

function describeFrame({ functionName, file, startLine }: Frame, sources: SourceTree) {
  const name = functionName || '(anonymous)'
  const packageName = PACKAGE.exec(file)?.[1]
  if (packageName !== undefined) return { name, package: packageName }
  if (!sources.isOwn(file)) return { name }
  const path = sources.relativePath(file)
  return { name: `${name} ${path}:${startLine}`, file: path, line: startLine }
}
