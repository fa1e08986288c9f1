/** The edges of a heap graph the other way round: who points at a node. */
import type { HeapGraph } from './heap-graph.ts'

export interface Retainer {
  node: number
  edge: number
}

export interface RetainerIndex {
  /** Everything that keeps the node alive: weak edges are left out. */
  retainersOf(node: number): Retainer[]
}

export function indexRetainers(graph: HeapGraph): RetainerIndex {
  const edgeCount = graph.firstEdge(graph.nodeCount)
  const firstRetainers = new Uint32Array(graph.nodeCount + 2)
  for (let edge = 0; edge < edgeCount; edge++) increment(firstRetainers, graph.edgeTarget(edge) + 2)
  for (let node = 2; node < firstRetainers.length; node++) {
    firstRetainers[node] = at(firstRetainers, node) + at(firstRetainers, node - 1)
  }
  const nodes = new Uint32Array(edgeCount)
  const edges = new Uint32Array(edgeCount)
  for (let node = 0; node < graph.nodeCount; node++) {
    for (let edge = graph.firstEdge(node); edge < graph.firstEdge(node + 1); edge++) {
      const slot = increment(firstRetainers, graph.edgeTarget(edge) + 1)
      nodes[slot] = node
      edges[slot] = edge
    }
  }

  function retainersOf(node: number): Retainer[] {
    const retainers: Retainer[] = []
    for (let slot = at(firstRetainers, node); slot < at(firstRetainers, node + 1); slot++) {
      const edge = at(edges, slot)
      if (graph.edgeType(edge) !== 'weak') retainers.push({ node: at(nodes, slot), edge })
    }
    return retainers
  }

  return { retainersOf }
}

function at(values: Uint32Array, index: number): number {
  return values[index] ?? 0
}

/** @returns the value before */
function increment(values: Uint32Array, index: number): number {
  const value = at(values, index)
  values[index] = value + 1
  return value
}
