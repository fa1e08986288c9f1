/**
 * Who holds what was allocated since the first boundary: every surviving object is followed up to the first one that
 * was there before, and counted by the cohort (the span between two boundaries) that allocated it.
 */
import { isDetourToValue } from './ephemeron.ts'
import type { HeapGraph } from './heap-graph.ts'
import type { RetainerIndex } from './retainer-index.ts'

export interface Holding {
  /** Stays the same in a later snapshot of the same process. */
  key: string
  /** The object that was there before: its node in this snapshot, and V8's id of it, which stays. */
  owner: number
  ownerId: number
  /** The one variable or property of the owner that leads to all of it; empty where there are several or none. */
  label: string
  /** The owner is a scope, and what grows is the value of its variable `label`. */
  isVariable: boolean
  /** Surviving objects and their bytes, by cohort. */
  counts: number[]
  bytes: number[]
  /** The owner's own table, array or dictionary, which is replaced by a larger one as it grows. */
  storeBytes: number
  /** Objects and strings that the store points at, be they old or new: its entries, unless they are numbers. */
  storeEntries: number
  /** Those of them that a cohort allocated, by cohort. */
  storeCounts: number[]
  /** Objects by constructor. */
  types: Map<string, { count: number; bytes: number }>
}

/** What programs make; the rest is V8's own (shapes, feedback, code), which settles by itself. */
const PROGRAM_TYPES = new Set([
  'object',
  'string',
  'concatenated string',
  'sliced string',
  'closure',
  'regexp',
  'number',
  'symbol',
  'bigint',
  'array',
  'native'
])

/** Node keeps them in lists of its own, any of which may lead to any timer. */
export const TIMER_CLASSES = new Set(['Timeout', 'TimersList', 'Immediate'])
/** Their tables are as large as what passed through since they last shrank. */
const WEAK_COLLECTIONS = new Set(['WeakMap', 'WeakSet'])
/** V8's own links between a program's objects, as from a promise to what waits for it. */
const LINK_TYPE = 'hidden'
const STORE_LABELS = new Set(['elements', 'table', 'properties'])
const NOBODY = -1

/**
 * @param boundaries from `markBoundary`, ascending: one before the first cohort, then one after each
 * @returns the holdings by their key
 */
export function findHoldings(
  graph: HeapGraph,
  retainers: RetainerIndex,
  boundaries: readonly number[]
): Map<string, Holding> {
  const first = boundaries[0] ?? 0
  const last = boundaries.at(-1) ?? 0
  const holdingOf = new Int32Array(graph.nodeCount).fill(NOBODY)
  const holdings: Holding[] = []
  const numberByKey = new Map<string, number>()

  function isNewId(id: number): boolean {
    return id > first && id <= last
  }

  // Asked once for every edge of the heap.
  const newNodes = new Uint8Array(graph.nodeCount)
  for (let node = 0; node < graph.nodeCount; node++) {
    const type = graph.type(node)
    if (isNewId(graph.id(node)) && (PROGRAM_TYPES.has(type) || type === LINK_TYPE)) newNodes[node] = 1
  }
  function isNew(node: number): boolean {
    return newNodes[node] === 1
  }

  function numberOfHolding(owner: number, edge: number): number {
    const isVariable = graph.edgeType(edge) === 'context'
    const key = TIMER_CLASSES.has(graph.name(owner))
      ? 'timers'
      : `${graph.id(owner)}${isVariable ? ` ${graph.edgeLabel(edge)}` : ''}`
    const known = numberByKey.get(key)
    if (known !== undefined) {
      const holding = holdings[known]
      if (holding && holding.label !== labelOf(graph, edge)) holding.label = ''
      return known
    }
    const label = labelOf(graph, edge)
    const counts = new Array<number>(boundaries.length - 1).fill(0)
    const bytes = [...counts]
    const holding: Holding = {
      key,
      owner,
      ownerId: graph.id(owner),
      label,
      isVariable,
      counts,
      bytes,
      storeBytes: 0,
      storeEntries: 0,
      storeCounts: [...counts],
      types: new Map()
    }
    numberByKey.set(key, holdings.length)
    return holdings.push(holding) - 1
  }

  /**
   * A program's objects first: V8's own often point at the same object by the way. Node's lists of timers last of those,
   * and each by its number, which stays, not by its place in the snapshot: else what two old objects hold would be one's
   * in one look, and in the next, after a collection, the other's, as if the first had let go of it.
   */
  function claim(fromProgram: boolean): void {
    const owners: number[] = []
    for (let node = 0; node < graph.nodeCount; node++) {
      if (!isNew(node) && PROGRAM_TYPES.has(graph.type(node)) === fromProgram && leadsToNew(node)) {
        owners.push(node)
      }
    }
    const isTimer = (node: number) => Number(TIMER_CLASSES.has(graph.name(node)))
    owners.sort((a, b) => isTimer(a) - isTimer(b) || graph.id(a) - graph.id(b))
    for (const node of owners) claimFrom(node)
  }

  function leadsToNew(node: number): boolean {
    for (let edge = graph.firstEdge(node); edge < graph.firstEdge(node + 1); edge++) {
      if (isNew(graph.edgeTarget(edge))) return true
    }
    return false
  }

  function claimFrom(node: number): void {
    for (let edge = graph.firstEdge(node); edge < graph.firstEdge(node + 1); edge++) {
      const target = graph.edgeTarget(edge)
      if (!isNew(target) || holdingOf[target] !== NOBODY || graph.edgeType(edge) === 'weak') continue
      if (isDetourToValue(graph, node, edge, isNewId)) continue
      const { owner, via } = climbOutOfStore(graph, retainers, node, edge)
      const number = numberOfHolding(owner, via)
      holdingOf[target] = number
      const holding = holdings[number]
      if (holding && STORE_LABELS.has(graph.edgeLabel(edge))) {
        if (WEAK_COLLECTIONS.has(graph.name(owner))) continue
        holding.storeBytes += graph.selfBytes(target)
        addEntries(holding, graph, target, boundaries)
      } else if (holding) addSurvivor(holding, graph, target, boundaries)
      // At once: of a list that old nodes lead to from both ends, one and the same owner has it all.
      spread([target])
    }
  }

  function spread(queue: number[]): void {
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      const holding = holdings[holdingOf[node] ?? NOBODY]
      if (!holding) continue
      for (let edge = graph.firstEdge(node); edge < graph.firstEdge(node + 1); edge++) {
        const target = graph.edgeTarget(edge)
        if (graph.edgeType(edge) === 'weak' || holdingOf[target] !== NOBODY) continue
        if (isNew(target)) {
          holdingOf[target] = holdingOf[node] ?? NOBODY
          addSurvivor(holding, graph, target, boundaries)
          queue.push(target)
        } else if (graph.type(target) === 'native' && graph.id(target) > last) {
          // The bytes of a Buffer lie outside the heap and are numbered only now: they came with the Buffer.
          holdingOf[target] = holdingOf[node] ?? NOBODY
          addBytes(holding, graph, target, cohortOf(graph.id(node), boundaries))
        }
      }
    }
  }

  claim(true)
  claim(false)
  return new Map([...numberByKey].map(([key, number]) => [key, holdings[number] as Holding]))
}

function addEntries(holding: Holding, graph: HeapGraph, store: number, boundaries: readonly number[]): void {
  for (let edge = graph.firstEdge(store); edge < graph.firstEdge(store + 1); edge++) {
    const entry = graph.edgeTarget(edge)
    if (!PROGRAM_TYPES.has(graph.type(entry))) continue
    holding.storeEntries += 1
    const cohort = cohortOf(graph.id(entry), boundaries)
    if (cohort >= 0) holding.storeCounts[cohort] = (holding.storeCounts[cohort] ?? 0) + 1
  }
}

/** A table or an array's elements are no owner a person knows: what they belong to is. */
function climbOutOfStore(graph: HeapGraph, retainers: RetainerIndex, node: number, edge: number) {
  if (graph.type(node) !== 'array') return { owner: node, via: edge }
  const holder = retainers.retainersOf(node).find((each) => STORE_LABELS.has(graph.edgeLabel(each.edge)))
  return holder ? { owner: holder.node, via: holder.edge } : { owner: node, via: edge }
}

function labelOf(graph: HeapGraph, edge: number): string {
  const type = graph.edgeType(edge)
  return type === 'property' || type === 'context' ? graph.edgeLabel(edge) : ''
}

function addSurvivor(holding: Holding, graph: HeapGraph, node: number, boundaries: readonly number[]): void {
  if (graph.type(node) === LINK_TYPE) return
  const cohort = cohortOf(graph.id(node), boundaries)
  holding.counts[cohort] = (holding.counts[cohort] ?? 0) + 1
  addBytes(holding, graph, node, cohort)
}

function addBytes(holding: Holding, graph: HeapGraph, node: number, cohort: number): void {
  const size = graph.selfBytes(node)
  holding.bytes[cohort] = (holding.bytes[cohort] ?? 0) + size
  const type = graph.type(node) === 'object' ? graph.name(node) : `(${graph.type(node)})`
  const total = holding.types.get(type) ?? { count: 0, bytes: 0 }
  holding.types.set(type, { count: total.count + 1, bytes: total.bytes + size })
}

/** @returns a negative number for what no cohort allocated */
function cohortOf(id: number, boundaries: readonly number[]): number {
  return boundaries.findIndex((boundary) => id <= boundary) - 1
}
