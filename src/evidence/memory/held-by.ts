/** Names what holds an object as a programmer would: `documentCache`, `store.#entries`. */
import type { Look } from './cohorts.ts'
import { isDetourToValue } from './ephemeron.ts'
import type { HeapGraph } from './heap-graph.ts'
import { type Holding, TIMER_CLASSES } from './holdings.ts'
import type { Retainer, RetainerIndex } from './retainer-index.ts'

export interface HeldBy {
  /** What a person reads. */
  name: string
  /** What the source may mention where it grows, the likeliest first: the last name, and the variable itself. */
  identifiers: Identifier[]
  /** Node's own list of timers: no variable of the program. */
  isTimer: boolean
  /** V8's ids of the objects from the variable down to what holds, the first ones. */
  holderIds: number[]
}

/** A look, and who holds what is worst by all looks up to it. */
export interface NamedLook extends Look<Holding> {
  heldBy: ReadonlyMap<Holding, HeldBy | null>
}

export interface Identifier {
  name: string
  /** URL of the only script that a variable can be mentioned in; undefined for properties, globals and exports. */
  scriptUrl: string | undefined
}

/** V8's own objects that stand between a program's: an exported variable's, and what a proxy stands for. */
const HIDDEN_LINKS = new Set(['system / Cell', 'system / JSProxy'])
const NATIVE_CONTEXT = 'system / NativeContext'
/** Names that stand for the same thing when they repeat: the links of a list. */
const MAX_NAMES = 3
const LINKS = [1, 2]
/** A limit is declared near what a person named. */
const MAX_HOLDERS = 4
/** As V8 writes a property whose key is a symbol. */
const SYMBOL = /\.?<symbol ([^>]*)>/

/** @param firstBoundary what has a higher id was allocated by the workload, and is itself held */
export function nameHolder(
  graph: HeapGraph,
  retainers: RetainerIndex,
  { owner, label, isVariable }: Holding,
  firstBoundary: number
): HeldBy | null {
  if (TIMER_CLASSES.has(graph.name(owner))) {
    return { name: 'timers', identifiers: [], isTimer: true, holderIds: [] }
  }
  if (isVariable || (label !== '' && isGlobal(graph, retainers, owner))) {
    const scriptUrl = isVariable ? scriptOfScope(graph, retainers, owner) : undefined
    return { name: label, identifiers: [{ name: label, scriptUrl }], isTimer: false, holderIds: [] }
  }
  const isOld = (node: number) => graph.id(node) <= firstBoundary
  // An EventEmitter's listeners lead back to it, too: what they call it is not what the program does.
  const path =
    climbToVariable(graph, retainers, owner, isOld) ?? climbToVariable(graph, retainers, owner, () => true)
  if (path === null) return null
  const { names, holderIds, scriptUrl } = path
  if (label !== '') names.push(label)
  const distinct = names.filter((name, index) => name !== names[index - 1] && !isLink(names, index))
  const shown = distinct.length > MAX_NAMES ? [distinct[0], '…', distinct.at(-1)] : distinct
  return {
    name: shown.join('.').replace(SYMBOL, '[$1]'),
    identifiers: listIdentifiers(distinct, scriptUrl),
    isTimer: false,
    holderIds: holderIds.slice(0, MAX_HOLDERS)
  }
}

function listIdentifiers(names: readonly string[], scriptUrl: string | undefined): Identifier[] {
  const [variable = '', ...properties] = names.map((name) => name.replace(SYMBOL, '$1'))
  const property = properties.at(-1)
  return [
    ...(property === undefined ? [] : [{ name: property, scriptUrl: undefined }]),
    { name: variable, scriptUrl }
  ]
}

/** The links of a long list say nothing: what it hangs on does. */
function isLink(names: readonly string[], index: number): boolean {
  return index > 0 && LINKS.every((ahead) => names[index + ahead] === names[index])
}

/** A scope is known by the functions that were made in it. */
function scriptOfScope(graph: HeapGraph, retainers: RetainerIndex, scope: number): string | undefined {
  const functions = retainers.retainersOf(scope).filter((each) => graph.type(each.node) === 'closure')
  const scripts = functions.flatMap(({ node }) => {
    const code = targetOf(graph, node, 'shared')
    return code === undefined ? [] : (targetOf(graph, code, 'script') ?? [])
  })
  return scripts.map((script) => graph.name(script)).find((url) => url !== '')
}

function targetOf(graph: HeapGraph, node: number, label: string): number | undefined {
  for (let edge = graph.firstEdge(node); edge < graph.firstEdge(node + 1); edge++) {
    if (graph.edgeLabel(edge) === label) return graph.edgeTarget(edge)
  }
  return undefined
}

/** Whether the node is what `globalThis` stands for, whose properties are variables. */
function isGlobal(graph: HeapGraph, retainers: RetainerIndex, node: number): boolean {
  return retainers
    .retainersOf(node)
    .some((each) => graph.edgeLabel(each.edge) === 'extension' && graph.name(each.node) === NATIVE_CONTEXT)
}

interface Path {
  /** The variable, then the properties down to the object. */
  names: string[]
  holderIds: number[]
  /** Of the variable, where it is one of a scope. */
  scriptUrl: string | undefined
}

/** @returns the shortest way from a variable to `start`, or null without one; only through nodes that `mayExplain` */
function climbToVariable(
  graph: HeapGraph,
  retainers: RetainerIndex,
  start: number,
  mayExplain: (node: number) => boolean
): Path | null {
  const cameFrom = new Map<number, Retainer & { below: number }>()
  const queue = [start]
  for (let index = 0; index < queue.length; index++) {
    const below = queue[index] as number
    for (const { node, edge } of retainers.retainersOf(below)) {
      if (!mayExplain(node) || isDetourToValue(graph, node, edge, () => false)) continue
      const variable = variableAt(graph, retainers, node, edge)
      if (variable !== null) {
        const isOfScope = graph.edgeType(edge) === 'context'
        const scriptUrl = isOfScope ? scriptOfScope(graph, retainers, node) : undefined
        return { ...walkDown(graph, cameFrom, below, start, variable), scriptUrl }
      }
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
    (type !== 'hidden' || HIDDEN_LINKS.has(graph.name(node)))
  )
}

/** The name of the variable that the edge is, or null where it is none. */
function variableAt(graph: HeapGraph, retainers: RetainerIndex, node: number, edge: number): string | null {
  const label = graph.edgeLabel(edge)
  // An arrow function's `this` leads to the object as well, and is nobody's name for it.
  if (graph.edgeType(edge) === 'context') return label === 'this' ? null : label
  if (graph.edgeType(edge) === 'property' && isGlobal(graph, retainers, node)) return label
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

function walkDown(
  graph: HeapGraph,
  cameFrom: Map<number, Retainer & { below: number }>,
  from: number,
  start: number,
  variable: string
): Omit<Path, 'scriptUrl'> {
  const path = { names: [variable], holderIds: [] as number[] }
  for (let node = from; ; ) {
    path.holderIds.push(graph.id(node))
    const step = cameFrom.get(node)
    if (!step || node === start) return path
    if (graph.edgeType(step.edge) === 'property') path.names.push(graph.edgeLabel(step.edge))
    node = step.below
  }
}
