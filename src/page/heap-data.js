/** The heap's flame graph without what others' code does inside: own code, and the packages that hold the rest. Pure. */

const RUNTIME = { name: 'Node.js and V8' }

/**
 * @param {object} tree what GET /debug/heap-flame-graph answered
 * @param {string} name of the new tree's root
 * @returns {{ name: string, file?: string, line?: number, value: number, children: object[] }} own code, callers above
 *   what they call; what others' code holds for it stands beneath by the name of the package alone
 */
export function foldByPackage(tree, name) {
  const root = { name, value: tree.value, children: [] }
  for (const child of tree.children) addNode(child, [root], undefined)
  return root
}

/**
 * @param {object[]} path the new tree's nodes from the root down to the nearest own code
 * @param {object | undefined} holder the package nearest to the leaf, since that code
 */
function addNode(node, path, holder) {
  const isOwn = node.file !== undefined
  const place = isOwn
    ? [...path, grow(path.at(-1), { name: node.name, file: node.file, line: node.line })]
    : path
  const nearest = isOwn ? undefined : node.package === undefined ? holder : { name: node.package }
  const ownValue = node.value - node.children.reduce((sum, { value }) => sum + value, 0)
  if (ownValue > 0) addValue(place, nearest, ownValue)
  for (const child of node.children) addNode(child, place, nearest)
}

function addValue([root, ...own], holder, value) {
  const last = holder ?? (own.length === 0 ? RUNTIME : undefined)
  for (const node of own) node.value += value
  if (last) grow(own.at(-1) ?? root, last).value += value
}

function grow(parent, key) {
  let child = parent.children.find(({ name, line }) => name === key.name && line === key.line)
  if (!child) {
    child = { ...key, value: 0, children: [] }
    parent.children.push(child)
  }
  return child
}
