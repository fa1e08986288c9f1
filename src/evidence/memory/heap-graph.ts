/** A V8 heap snapshot as a graph: nodes are numbered from 0, edges too, those of a node stand side by side. */

/** The head of what V8 writes, as far as it is read here. */
interface SnapshotHead {
  meta: {
    node_fields: string[]
    node_types: [string[], ...unknown[]]
    edge_fields: string[]
    edge_types: [string[], ...unknown[]]
  }
  node_count: number
  edge_count: number
}

export interface HeapGraph {
  readonly nodeCount: number
  /** V8's id of the object: stays with it, and is higher than that of every object that was numbered before. */
  id(node: number): number
  /** `object`, `string`, `closure`, `array` (a store inside V8), `hidden`, `code` … */
  type(node: number): string
  /** The constructor's name, or a string's text. */
  name(node: number): string
  selfBytes(node: number): number
  /** First edge of the node; those up to `firstEdge(node + 1)`, exclusive, are its own. */
  firstEdge(node: number): number
  /** `property`, `element`, `context` (a variable), `internal`, `hidden`, `shortcut`, `weak`. */
  edgeType(edge: number): string
  edgeTarget(edge: number): number
  /** Name of the property or variable, or the index of the element. */
  edgeLabel(edge: number): string
}

/** @param json the snapshot as V8 writes it, in ASCII */
export function parseHeapSnapshot(json: Buffer): HeapGraph {
  const snapshot = readHead(json)
  const { node_fields: nodeFields, edge_fields: edgeFields } = snapshot.meta
  const nodes = readNumbers(json, 'nodes', snapshot.node_count * nodeFields.length)
  const edges = readNumbers(json, 'edges', snapshot.edge_count * edgeFields.length)
  const strings = readStrings(json)
  const nodeTypes = snapshot.meta.node_types[0]
  const edgeTypes = snapshot.meta.edge_types[0]
  const nodeWidth = nodeFields.length
  const edgeWidth = edgeFields.length
  const [type, name, id, selfSize, edgeCount] = ['type', 'name', 'id', 'self_size', 'edge_count'].map(
    (field) => nodeFields.indexOf(field)
  ) as [number, number, number, number, number]
  const firstEdges = new Uint32Array(snapshot.node_count + 1)
  for (let node = 0; node < snapshot.node_count; node++) {
    firstEdges[node + 1] = (firstEdges[node] ?? 0) + (nodes[node * nodeWidth + edgeCount] ?? 0)
  }

  function nodeField(node: number, field: number): number {
    return nodes[node * nodeWidth + field] ?? 0
  }
  function edgeType(edge: number): string {
    return edgeTypes[edges[edge * edgeWidth] ?? 0] ?? ''
  }

  return {
    nodeCount: snapshot.node_count,
    id: (node) => nodeField(node, id),
    type: (node) => nodeTypes[nodeField(node, type)] ?? '',
    name: (node) => strings[nodeField(node, name)] ?? '',
    selfBytes: (node) => nodeField(node, selfSize),
    firstEdge: (node) => firstEdges[node] ?? 0,
    edgeType,
    edgeTarget: (edge) => (edges[edge * edgeWidth + 2] ?? 0) / nodeWidth,
    edgeLabel(edge) {
      const label = edges[edge * edgeWidth + 1] ?? 0
      const kind = edgeType(edge)
      return kind === 'element' || kind === 'hidden' ? String(label) : (strings[label] ?? '')
    }
  }
}

function readHead(json: Buffer): SnapshotHead {
  const { snapshot } = JSON.parse(`${json.toString('latin1', 0, json.indexOf(',\n"nodes":'))}}`) as {
    snapshot: SnapshotHead
  }
  return snapshot
}

const [COMMA, BRACKET, ZERO] = [...Buffer.from(',]0')] as [number, number, number]

/** Millions of small numbers: JSON.parse takes three times as long, and leaves a heap that is slow to collect. */
function readNumbers(json: Buffer, name: string, count: number): Uint32Array {
  const numbers = new Uint32Array(count)
  const start = startOf(json, name)
  let value = 0
  for (let at = start, index = 0; index < count; at++) {
    const byte = json[at] as number
    if (byte >= ZERO) {
      if (byte === BRACKET) break
      value = value * 10 + byte - ZERO
    } else if (byte === COMMA) {
      numbers[index++] = value
      value = 0
    }
  }
  numbers[count - 1] = value
  return numbers
}

function readStrings(json: Buffer): string[] {
  return JSON.parse(
    `[${json.toString('latin1', startOf(json, 'strings'), json.lastIndexOf('}'))}`
  ) as string[]
}

function startOf(json: Buffer, name: string): number {
  const key = `,\n"${name}":[`
  return json.indexOf(key) + key.length
}
