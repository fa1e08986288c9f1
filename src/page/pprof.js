/**
 * Reads a profile in pprof's format (github.com/google/pprof, proto/profile.proto) into a tree of one's own code. Pure:
 * no document, no network.
 */

const VARINT = 0
const FIXED_64 = 1
const BYTES = 2

/**
 * @param {Uint8Array} bytes the profile, no longer gzipped
 * @param {string} root the name of the tree's root
 * @returns {{ name: string, file?: string, line?: number, value: number, children: object[] }} own code, callers above
 *   what they call, with its file relative to the project's folder; what others' code holds for it stands
 *   beneath by the name of the package alone. `value` is the last of the sample's values
 */
export function readProfile(bytes, root) {
  const { samples, locations, functions, strings } = readTables(bytes)
  const pathOf = (functionId) => toPath(strings[functions.get(functionId)?.file] ?? '')
  const rootDir = findRootDir([...functions.keys()].map(pathOf))
  const frames = new Map()
  for (const { id, functionId, line } of locations.values()) {
    const name = strings[functions.get(functionId)?.name] ?? ''
    frames.set(id, describe(name, pathOf(functionId), line, rootDir))
  }
  const tree = { name: root, value: 0, children: [] }
  for (const { locationIds, values } of samples) {
    const stack = locationIds.map((id) => frames.get(id) ?? RUNTIME)
    addSample(tree, stack, values.at(-1) ?? 0)
  }
  return tree
}

const RUNTIME = { name: 'Node.js and V8' }

/** @param {object[]} stack leaf first */
function addSample(tree, stack, value) {
  const own = stack.filter(({ file }) => file !== undefined).reverse()
  const beneath = stack.slice(0, own.length > 0 ? stack.indexOf(own.at(-1)) : stack.length)
  const others = beneath.find((frame) => frame !== RUNTIME) ?? (own.length > 0 ? undefined : RUNTIME)
  tree.value += value
  let node = tree
  for (const frame of others ? [...own, others] : own) {
    node = grow(node, frame)
    node.value += value
  }
}

function grow(parent, frame) {
  let child = parent.children.find(({ name, line }) => name === frame.name && line === frame.line)
  if (!child) {
    child = { ...frame, value: 0, children: [] }
    parent.children.push(child)
  }
  return child
}

function describe(functionName, path, line, rootDir) {
  const packageName = packageOf(path)
  if (packageName !== undefined) return { name: packageName }
  if (!isOwn(path)) return RUNTIME
  const file = path.slice(rootDir.length)
  const name = functionName.replace(/^\(anonymous:.*\)$/, '') || '(anonymous)'
  return { name: `${name} ${file}:${line}`, file, line }
}

function packageOf(path) {
  return /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]
}

function isOwn(path) {
  return path.startsWith('/') && packageOf(path) === undefined
}

/** @returns where `node_modules` stands; where that is but a link, what holds the folder of all of one's own files */
function findRootDir(paths) {
  const own = paths.filter(isOwn)
  const linked = paths.find((path) => packageOf(path) !== undefined)
  const root = linked?.slice(0, linked.indexOf('/node_modules/') + 1)
  if (root !== undefined && own.every((path) => path.startsWith(root))) return root
  return commonFolder(own).replace(/[^/]*\/$/, '')
}

function commonFolder([first = '/', ...others]) {
  let folder = first.slice(0, first.lastIndexOf('/') + 1)
  while (!others.every((path) => path.startsWith(folder))) folder = folder.replace(/[^/]*\/$/, '')
  return folder
}

/** Absolute paths, of addresses too; all else as it is. */
function toPath(text) {
  return text.replace(/^file:\/\//, '')
}

function readTables(bytes) {
  const tables = { samples: [], locations: new Map(), functions: new Map(), strings: [] }
  const readers = {
    2: (part) => tables.samples.push(readSample(part)),
    4: (part) => addTo(tables.locations, readLocation(part)),
    5: (part) => addTo(tables.functions, readFunction(part)),
    6: (part) => tables.strings.push(new TextDecoder().decode(part))
  }
  for (const { field, value } of readFields(bytes)) readers[field]?.(value)
  return tables
}

function addTo(map, entry) {
  map.set(entry.id, entry)
}

function readSample(bytes) {
  const sample = { locationIds: [], values: [] }
  for (const { field, value } of readFields(bytes)) {
    if (field === 1) sample.locationIds.push(...readNumbers(value))
    if (field === 2) sample.values.push(...readNumbers(value))
  }
  return sample
}

function readLocation(bytes) {
  const location = { id: 0, functionId: 0, line: 0 }
  for (const { field, value } of readFields(bytes)) {
    if (field === 1) location.id = value
    if (field === 4 && location.functionId === 0) {
      for (const part of readFields(value)) {
        if (part.field === 1) location.functionId = part.value
        if (part.field === 2) location.line = part.value
      }
    }
  }
  return location
}

function readFunction(bytes) {
  const fn = { id: 0, name: 0, file: 0 }
  for (const { field, value } of readFields(bytes)) {
    if (field === 1) fn.id = value
    if (field === 2) fn.name = value
    if (field === 4) fn.file = value
  }
  return fn
}

/** A repeated number is packed into bytes, or stands alone. */
function readNumbers(value) {
  if (typeof value === 'number') return [value]
  const numbers = []
  for (let at = 0; at < value.length; ) {
    const [number, next] = readVarint(value, at)
    numbers.push(number)
    at = next
  }
  return numbers
}

function* readFields(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const [key, start] = readVarint(bytes, at)
    const [field, type] = [Math.floor(key / 8), key % 8]
    if (type === VARINT) {
      const [value, next] = readVarint(bytes, start)
      yield { field, value }
      at = next
    } else if (type === BYTES) {
      const [length, from] = readVarint(bytes, start)
      yield { field, value: bytes.subarray(from, from + length) }
      at = from + length
    } else at = start + (type === FIXED_64 ? 8 : 4)
  }
}

/** Exact to 2^53, more than a heap has bytes. */
function readVarint(bytes, start) {
  let value = 0
  let at = start
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++] ?? 0
    value += (byte % 128) * scale
    if (byte < 128) return [value, at]
  }
}
