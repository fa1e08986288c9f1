/**
 * Finds the line that inserts: the container's own methods are wrapped, and whoever calls one that makes it larger is
 * asked for its place. Runs in a process that is thrown away afterwards.
 */
import { type CallSite, findCallSite } from '../call-site.ts'
import type { SourceTree } from '../source-tree.ts'
import { captureStack } from '../stack.ts'

export interface InsertionWatch {
  /** @param container a Map, Set or array; anything else is left alone. @returns whether it can be watched */
  watch(container: unknown): boolean
  watchTimers(): void
  /** The place that inserted most often, else the one that replaced values most often, or undefined. */
  mostFrequent(): CallSite | undefined
  readonly insertions: number
}

type SiteCounts = Map<string, { site: CallSite; count: number }>
type Method = (this: unknown, ...values: unknown[]) => unknown

const INSERTING_METHODS = ['set', 'add', 'push', 'unshift', 'splice']

export function createInsertionWatch(sources: SourceTree): InsertionWatch {
  const insertionsAt: SiteCounts = new Map()
  /** A larger value for a key that was there. */
  const replacementsAt: SiteCounts = new Map()
  let insertions = 0

  function recordCaller(counts: SiteCounts): void {
    const site = findCallSite(captureStack(), sources)
    if (!site) return
    const key = `${site.file}:${site.line}`
    counts.set(key, { site, count: (counts.get(key)?.count ?? 0) + 1 })
  }

  function recordInsertion(): void {
    insertions += 1
    recordCaller(insertionsAt)
  }

  function wrap(container: object, name: string): void {
    const original = Reflect.get(container, name) as Method
    function insertAndRecord(this: unknown, ...values: unknown[]): unknown {
      const before = sizeOf(container)
      const result = original.apply(this, values)
      if (sizeOf(container) > before) recordInsertion()
      else if (name === 'set') recordCaller(replacementsAt)
      return result
    }
    Object.defineProperty(container, name, {
      value: insertAndRecord,
      configurable: true,
      writable: true,
      enumerable: false
    })
  }

  function watch(container: unknown): boolean {
    if (!isCollection(container)) return false
    for (const name of INSERTING_METHODS.filter((each) => each in container)) wrap(container, name)
    return true
  }

  function watchTimers(): void {
    for (const name of ['setTimeout', 'setInterval'] as const) {
      const original = globalThis[name] as unknown as Method
      const startAndRecord: Method = function startAndRecord(...values) {
        recordInsertion()
        return original.apply(this, values)
      }
      Object.defineProperty(globalThis, name, { value: startAndRecord, configurable: true, writable: true })
    }
  }

  return {
    watch,
    watchTimers,
    mostFrequent: () => mostFrequent(insertionsAt) ?? mostFrequent(replacementsAt),
    get insertions() {
      return insertions
    }
  }
}

function mostFrequent(counts: SiteCounts): CallSite | undefined {
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.site
}

export function isCollection(value: unknown): value is Map<unknown, unknown> | Set<unknown> | unknown[] {
  return value instanceof Map || value instanceof Set || Array.isArray(value)
}

/** Entries, elements, characters or bytes; of any other object its properties; 0 for what has no size. */
export function sizeOf(value: unknown): number {
  if (value instanceof Map || value instanceof Set) return value.size
  if (Array.isArray(value) || typeof value === 'string') return value.length
  if (ArrayBuffer.isView(value)) return value.byteLength
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0
}

/** @returns whether it could be emptied */
export function clear(container: unknown): boolean {
  if (container instanceof Map || container instanceof Set) container.clear()
  else if (Array.isArray(container)) container.length = 0
  else if (isDictionary(container)) for (const key of Object.keys(container)) delete container[key]
  else return false
  return true
}

function isDictionary(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
