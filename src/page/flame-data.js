/**
 * From a flame tree to the frames that are drawn. Pure: no document, no network.
 *
 * A node of the tree is `{ name, file?, line?, value, children }`, `value` with its callees; a diagnosis' nodes are in
 * ms of the whole window and have their `wall_ms` too. A frame is `{ name, file?, line?, total, value, children }`:
 * both per request, `value` its own part only, as d3-flame-graph's `selfValue(true)` reads it.
 */

/** A frame that hands on this much of its time to one callee only passes the call on. */
const PASSES_ON = 0.95

/** @returns the span names of a tree, the heaviest first */
export function listSpans(tree) {
  return tree.children.toSorted((a, b) => b.value - a.value).map(({ name }) => name)
}

/** @returns the tree with the time that the thread was held as its values, in place of what it was used */
export function byWallTime({ wall_ms, children, ...node }) {
  return { ...node, value: wall_ms, children: children.map(byWallTime) }
}

/**
 * @param {object} tree
 * @param {{ requests: number, span: string, keptFiles?: Set<string> }} options `span` '' takes all of them;
 *   with `keptFiles` only one's own code is kept, with what it calls; files in it are kept even where they only
 *   pass a call on
 */
export function toFrames(tree, { requests, span, keptFiles }) {
  const spans = tree.children.filter(({ name }) => span === '' || name === span)
  const children = keptFiles ? spans.map((node) => foldSpan(node, keptFiles)) : spans
  const total = spans.reduce((sum, { value }) => sum + value, 0)
  const root = span !== '' && children[0] ? children[0] : { name: 'all requests', value: total, children }
  return toFrame(root, Math.max(requests, 1))
}

/** @returns a node and all beneath it as frames, divided by the number of requests */
export function toFrame({ name, file, line, value, children }, requests) {
  const callees = children.reduce((sum, child) => sum + child.value, 0)
  return {
    name,
    file,
    line,
    total: value / requests,
    value: Math.max(value - callees, 0) / requests,
    children: children.map((child) => toFrame(child, requests)).sort((a, b) => b.total - a.total)
  }
}

function foldSpan(span, keptFiles) {
  return {
    ...span,
    children: mergeSame(span.children.flatMap((child) => fold(child, keptFiles, 'span').nodes))
  }
}

/**
 * @param {'span' | 'kept' | 'folded'} above the nearest code of one's own above, or the span itself
 * @returns the nodes that take a node's place, and whether there is code of one's own among them
 */
function fold(node, keptFiles, above) {
  const isOwn = node.file !== undefined
  const passesOn = node.children.some((child) => child.value >= node.value * PASSES_ON)
  const isKeptOwn = isOwn && (keptFiles.has(node.file) || !passesOn)
  const below = isOwn ? (isKeptOwn ? 'kept' : 'folded') : above
  const results = node.children.map((child) => fold(child, keptFiles, below))
  const children = mergeSame(results.flatMap((result) => result.nodes))
  const leadsToOwn = results.some((result) => result.hasOwn)
  const isKeptLibrary = !isOwn && !leadsToOwn && (above === 'kept' || (above === 'span' && !passesOn))
  return {
    nodes: isKeptOwn || isKeptLibrary ? [{ ...node, children }] : children,
    hasOwn: isOwn || leadsToOwn
  }
}

function mergeSame(nodes) {
  const merged = new Map()
  for (const node of nodes) {
    const key = `${node.name}\n${node.line}`
    const same = merged.get(key)
    if (same) {
      same.value += node.value
      same.children = mergeSame([...same.children, ...node.children])
    } else merged.set(key, { ...node })
  }
  return [...merged.values()]
}

/**
 * Two frame trees in one, each frame with its total `before` and `after`, as wide as the larger of its own parts.
 * Matched by function and file: lines move when code is mended.
 */
export function unite(before, after) {
  const pairs = new Map()
  for (const child of before?.children ?? []) addTo(pairs, child, 'before')
  for (const child of after?.children ?? []) addTo(pairs, child, 'after')
  const either = after ?? before
  const children = [...pairs.values()].map(({ before: b, after: a }) => unite(mergeFrames(b), mergeFrames(a)))
  const value = Math.max(before?.value ?? 0, after?.value ?? 0)
  return {
    name: either.name,
    file: either.file,
    line: either.line,
    before: before?.total ?? 0,
    after: after?.total ?? 0,
    value,
    total: value + children.reduce((sum, child) => sum + child.total, 0),
    children: children.sort((a, b) => b.total - a.total)
  }
}

function addTo(pairs, frame, side) {
  const key = frame.file === undefined ? frame.name : `${functionOf(frame)}\n${frame.file}`
  const pair = pairs.get(key) ?? { before: [], after: [] }
  pair[side].push(frame)
  pairs.set(key, pair)
}

/** The frames of one function's several lines as one. */
function mergeFrames(frames) {
  if (frames.length < 2) return frames[0]
  return {
    ...frames[0],
    value: frames.reduce((sum, { value }) => sum + value, 0),
    total: frames.reduce((sum, { total }) => sum + total, 0),
    children: frames.flatMap(({ children }) => children)
  }
}

export function functionOf({ name, file, line }) {
  return file === undefined ? name : name.replace(` ${file}:${line}`, '')
}
