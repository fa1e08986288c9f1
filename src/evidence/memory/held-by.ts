/** Names what holds an object as a programmer would: `documentCache`, `store.#entries`. */
import type { HeapGraph } from './heap-graph.ts'
import { type Holding, TIMER_CLASSES } from './holdings.ts'
import type { Retainer, RetainerIndex } from './retainer-index.ts'

export interface HeldBy {
  /** What a person reads. */
  name: string
  /** The identifier that the source must mention where it grows: the last one of the name. */
  identifier: string
  /** Node's own list of timers: no variable of the program. */
  isTimer: boolean
}

/** Names that stand for the same thing when they repeat: the links of a list. */
const MAX_NAMES = 3

/** @param globalId V8's id of `globalThis` */
export function nameHolder(
  graph: HeapGraph,
  retainers: RetainerIndex,
  { owner, label, isVariable }: Holding,
  globalId: number
): HeldBy | null {
  if (isVariable) return { name: label, identifier: label, isTimer: false }
  if (TIMER_CLASSES.has(graph.name(owner)))
    return { name: 'timers', identifier: 'setInterval', isTimer: true }
  const names = climbToVariable(graph, retainers, owner, globalId)
  if (names === null) return null
  if (label !== '') names.push(label)
  const distinct = names.filter((name, index) => name !== names[index - 1])
  const shown = distinct.length > MAX_NAMES ? [distinct[0], '…', distinct.at(-1)] : distinct
  return { name: shown.join('.'), identifier: distinct.at(-1) ?? '', isTimer: false }
}

/** @returns the variable, then the properties down to `start`: the shortest such way, or null without one */
function climbToVariable(
  graph: HeapGraph,
  retainers: RetainerIndex,
  start: number,
  globalId: number
): string[] | null {
  const cameFrom = new Map<number, Retainer & { below: number }>()
  const queue = [start]
  for (let index = 0; index < queue.length; index++) {
    const below = queue[index] as number
    for (const { node, edge } of retainers.retainersOf(below)) {
      const variable = variableAt(graph, node, edge, globalId)
      if (variable !== null) return [variable, ...namesDown(graph, cameFrom, below, start)]
      if (node === start || cameFrom.has(node) || !leadsOn(graph, node)) continue
      cameFrom.set(node, { node, edge, below })
      queue.push(node)
    }
  }
  return null
}

/** Shapes, feedback and the roots point at everything and explain nothing. */
function leadsOn(graph: HeapGraph, node: number): boolean {
  const type = graph.type(node)
  return (
    type !== 'synthetic' &&
    type !== 'code' &&
    type !== 'object shape' &&
    (type !== 'hidden' || graph.name(node) === 'system / Cell')
  )
}

/** The name of the variable that the edge is, or null where it is none. */
function variableAt(graph: HeapGraph, node: number, edge: number, globalId: number): string | null {
  if (graph.edgeType(edge) === 'context') return graph.edgeLabel(edge)
  if (graph.id(node) === globalId && graph.edgeType(edge) === 'property') return graph.edgeLabel(edge)
  return graph.name(graph.edgeTarget(edge)) === 'system / Cell' ? exportedName(graph, node, edge) : null
}

/** An exported variable lives in a cell of the module's table of exports, where its name stands before it. */
function exportedName(graph: HeapGraph, table: number, cellEdge: number): string | null {
  const keyLabel = String(Number(graph.edgeLabel(cellEdge)) - 1)
  for (let edge = graph.firstEdge(table); edge < graph.firstEdge(table + 1); edge++) {
    if (graph.edgeLabel(edge) !== keyLabel) continue
    const key = graph.edgeTarget(edge)
    return graph.type(key) === 'string' ? graph.name(key) : null
  }
  return null
}

function namesDown(
  graph: HeapGraph,
  cameFrom: Map<number, Retainer & { below: number }>,
  from: number,
  start: number
): string[] {
  const names: string[] = []
  for (let node = from; node !== start; ) {
    const step = cameFrom.get(node)
    if (!step) break
    if (graph.edgeType(step.edge) === 'property') names.push(graph.edgeLabel(step.edge))
    node = step.below
  }
  return names
}
