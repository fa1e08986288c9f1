/**
 * Finds the line where a variable grows that no method call makes grow: an element assigned, a property added, a
 * string appended to. Breakpoints whose condition is always false stand on every line that mentions it; the condition
 * reads its size, and growth goes to the line that was reached last.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { SourceTree } from '../source-tree.ts'
import type { HeapInspector } from './heap-inspector.ts'
import { sizeOf } from './insertion-watch.ts'

export interface LineProbes {
  /** Credits what grew after the last probe; call it when an iteration has ended. */
  settle(): void
  /** The line that made it grow most, or undefined. */
  mostFrequent(): { file: string; line: number } | undefined
}

interface Script {
  scriptId: string
  url: string
}

const PROBE = '__leakCheckProbe'
/** A file with more mentions than this is generated. */
const MAX_PROBES = 200

/**
 * @param identifier the variable or property, as the source spells it
 * @param readContainer reads the container where it is known; else the identifier is read in the line's own scope
 */
export function placeLineProbes(
  heap: HeapInspector,
  sources: SourceTree,
  identifier: string,
  readContainer: (() => unknown) | undefined
): LineProbes {
  const places: { file: string; line: number; growth: number }[] = []
  let lastPlace: number | undefined
  let last: { value: unknown; size: number } | undefined

  function notice(value: unknown): void {
    const size = sizeOf(value)
    const previous = places[lastPlace ?? -1]
    if (previous && last) {
      // A list whose newest node replaces the variable's value has no size that could grow.
      const isReplaced = size === last.size && value !== last.value
      previous.growth += isReplaced ? 1 : Math.max(size - last.size, 0)
    }
    last = { value, size }
  }

  function probe(place: number, value: unknown): false {
    notice(readContainer ? readContainer() : value)
    lastPlace = place
    return false
  }

  Object.defineProperty(globalThis, PROBE, { value: probe, configurable: true })
  const read = identifier.startsWith('#') ? `this.${identifier}` : identifier
  for (const { scriptId, url } of listOwnScripts(heap, sources)) {
    for (const line of linesMentioning(url, identifier)) {
      if (places.length >= MAX_PROBES) break
      const value = readContainer ? 'undefined' : `(() => { try { return ${read} } catch {} })()`
      heap.post('Debugger.setBreakpoint', {
        location: { scriptId, lineNumber: line - 1 },
        condition: `globalThis.${PROBE}(${places.length}, ${value})`
      })
      places.push({ file: fileURLToPath(url), line, growth: 0 })
    }
  }

  return {
    settle() {
      if (readContainer) notice(readContainer())
    },
    mostFrequent: () => places.filter(({ growth }) => growth > 0).sort((a, b) => b.growth - a.growth)[0]
  }
}

function listOwnScripts(heap: HeapInspector, sources: SourceTree): Script[] {
  const scripts: Script[] = []
  heap.on('Debugger.scriptParsed', function addScript({ params }: { params: Script }) {
    const isFile = params.url.startsWith('file:')
    if (isFile && sources.isOwn(fileURLToPath(params.url)) && !isChecker(params.url)) scripts.push(params)
  })
  heap.post('Debugger.enable')
  return scripts
}

/** The check's own files are loaded in the same process. */
function isChecker(url: string): boolean {
  return url.startsWith(new URL('.', import.meta.url).href)
}

function linesMentioning(url: string, identifier: string): number[] {
  const escaped = identifier.replace(/[^\w#]/g, '\\$&')
  const mention = new RegExp(`(?<![\\w$#])${escaped}(?![\\w$])`)
  return readFileSync(fileURLToPath(url), 'utf8')
    .split('\n')
    .flatMap((text, index) => (mention.test(text) ? [index + 1] : []))
}
