import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

/** Every planted fault with what it simulates. Where each one is planted is found in the source, never typed in. */
const SIMULATES = {
  'quadratic-chunk-filter':
    'an overlap filter that compares every retrieved chunk with every chunk kept before it',
  'slow-prompt-serialization':
    'a prompt builder that drops one chunk, writes the whole prompt again and counts its tokens again until it fits',
  'n-plus-one-queries': 'one SELECT for each document found, instead of one JOIN',
  'missing-index':
    'a foreign key without an index: to find the chunks of a document, all chunks of all documents are read',
  'unbounded-document-cache':
    'a cache of document texts that keeps an entry for every query and document, for good',
  'redundant-prompt-tokens': 'sentences sent to the model again with every chunk that repeats them'
} as const

export type FaultName = keyof typeof SIMULATES

/** Which faults are on, as one request reads them at its start. */
export type FaultSwitches = Readonly<Record<FaultName, boolean>>

export interface FaultInfo {
  name: FaultName
  simulates: string
  /** Relative to the repository root, with forward slashes. */
  file: string
  /** From 1: the line of code that the fault's comment ends, or stands above. */
  line: number
  enabled: boolean
}

export interface FaultRegistry {
  snapshot(): FaultSwitches
  list(): FaultInfo[]
  find(name: string): FaultInfo | undefined
  set(name: FaultName, enabled: boolean): FaultInfo
}

export const FAULT_NAMES = Object.keys(SIMULATES) as FaultName[]

export function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(SIMULATES, name)
}

/**
 * The live switches of the planted faults.
 * @param initial which faults are on at first
 * @param root the directory whose `src` holds the `// fault: NAME` comments; read once, when first asked for a place
 * @throws (from all but `snapshot`) when a fault's comment is missing, appears twice or names no known fault
 */
export function createFaultRegistry(
  initial: 'all' | 'none' | readonly FaultName[],
  root = join(import.meta.dirname, '..')
): FaultRegistry {
  const enabled = new Set(initial === 'all' ? FAULT_NAMES : initial === 'none' ? [] : initial)
  let places: Record<FaultName, Place> | undefined

  function describe(name: FaultName): FaultInfo {
    places ??= findFaultComments(root)
    return { name, simulates: SIMULATES[name], ...places[name], enabled: enabled.has(name) }
  }

  return {
    snapshot: () => mapFaults((name) => enabled.has(name)),
    list: () => FAULT_NAMES.map(describe),
    find: (name) => (isFaultName(name) ? describe(name) : undefined),
    set(name, isEnabled) {
      if (isEnabled) enabled.add(name)
      else enabled.delete(name)
      return describe(name)
    }
  }
}

interface Place {
  file: string
  line: number
}

function findFaultComments(root: string): Record<FaultName, Place> {
  const found = new Map<FaultName, Place>()
  for (const path of sourceFiles(join(root, 'src'))) {
    const file = relative(root, path).replaceAll(sep, '/')
    for (const [index, text] of readFileSync(path, 'utf8').split('\n').entries()) {
      const [, code, name] = /^(.*)\/\/ fault: ([a-z0-9-]+)$/.exec(text) ?? []
      if (code === undefined || name === undefined) continue
      const place = { file, line: code.trim() === '' ? index + 2 : index + 1 }
      if (!isFaultName(name)) throw new Error(`${file}:${place.line} marks an unknown fault: ${name}`)
      const other = found.get(name)
      if (other)
        throw new Error(`${name} is marked twice: ${other.file}:${other.line}, ${file}:${place.line}`)
      found.set(name, place)
    }
  }
  return mapFaults((name) => {
    const place = found.get(name)
    if (!place) throw new Error(`no comment "// fault: ${name}" under src`)
    return place
  })
}

function sourceFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(directory, name))
}

function mapFaults<T>(describe: (name: FaultName) => T): Record<FaultName, T> {
  return Object.fromEntries(FAULT_NAMES.map((name) => [name, describe(name)])) as Record<FaultName, T>
}
