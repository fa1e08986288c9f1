/**
 * The values of a WeakMap, which live as long as map and key both do. V8's snapshot has an edge to the value from each of
 * them; whoever counts what holds what must follow one, and the same one in every snapshot.
 */
import type { HeapGraph } from './heap-graph.ts'

/** As V8 labels both edges (ExtractEphemeronHashTableReferences in heap-snapshot-generator.cc). */
const PAIR = / \/ part of key \(.*@(\d+)\) -> value \(.* pair in WeakMap /

/**
 * @param node where the edge begins
 * @param isNew whether an object, by V8's id, is one of those whose holders are looked for
 * @returns true for the edge that explains less: the old key's, since what grows is the map; of a new key the map's,
 *   since the value comes and goes with the key
 */
export function isDetourToValue(
  graph: HeapGraph,
  node: number,
  edge: number,
  isNew: (id: number) => boolean
): boolean {
  if (graph.edgeType(edge) !== 'internal') return false
  const [, key] = PAIR.exec(graph.edgeLabel(edge)) ?? []
  if (key === undefined) return false
  const isFromKey = graph.id(node) === Number(key)
  return isFromKey !== isNew(Number(key))
}
