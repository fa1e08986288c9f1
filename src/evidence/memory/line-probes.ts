/**
 * Finds the line where a variable grows that no method call makes grow: an element assigned, a property added, a
 * string appended to. Breakpoints whose condition is always false stand on every line that mentions it; the condition
 * reads its size, and growth goes to the line that was reached last. Of a variable of Node's own, as the list of marks,
 * it goes to the line of one's own code that called.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findCallSite } from '../call-site.ts'
import type { SourceTree } from '../source-tree.ts'
import { captureStack } from '../stack.ts'
import type { HeapInspector } from './heap-inspector.ts'
import type { Identifier } from './held-by.ts'
import { sizeOf } from './insertion-watch.ts'

export interface Line {
  file: string
  line: number
}

export interface LineProbes {
  /** Credits what grew after the last probe; call it when an iteration has ended. */
  settle(): void
  /** The line that made it grow most, or the only one that was reached at all, or undefined. */
  mostFrequent(): Line | undefined
}

/** Where lines that say something about an identifier are to be found. */
export interface Mention {
  pattern: RegExp
  /** Undefined for all scripts. */
  scriptUrl: string | undefined
}

interface Script {
  scriptId: string
  url: string
}

/** A file with more mentions than this is generated. */
const MAX_PROBES = 200

/**
 * @param identifier the variable or property as the source spells it; of a variable whose script is known others of
 *   the same name, in other scripts, are left alone
 * @param readContainer reads the container where it is known; else the identifier is read in the line's own scope
 */
export function placeLineProbes(
  heap: HeapInspector,
  sources: SourceTree,
  identifier: Identifier,
  readContainer: (() => unknown) | undefined
): LineProbes {
  const growths = new Map<string, { line: Line; growth: number }>()
  let lastKey: string | undefined
  let last: { value: unknown; size: number } | undefined

  function notice(value: unknown): void {
    const size = sizeOf(value)
    const reached = growths.get(lastKey ?? '')
    if (reached && last) {
      // A list whose newest node replaces the variable's value has no size that could grow.
      const isReplaced = size === last.size && value !== last.value
      reached.growth += isReplaced ? 1 : Math.max(size - last.size, 0)
    }
    last = { value, size }
  }

  function probe(place: number, value: unknown): void {
    const current = readContainer ? readContainer() : value
    // A mention of something else, `Promise.all`, where there is no such variable: no reading at all.
    if (current === undefined) return
    notice(current)
    const line = lines[place] ?? findCallSite(captureStack(), sources)
    lastKey = line && `${line.file}:${line.line}`
    if (line && lastKey !== undefined && !growths.has(lastKey)) growths.set(lastKey, { line, growth: 0 })
  }

  const { name } = identifier
  const read = name.startsWith('#') ? `this.${name}` : name
  const expression = readContainer ? 'undefined' : readSafely(read)
  const lines = probeMatchingLines(heap, sources, [mentionOf(identifier)], probe, () => expression)

  return {
    settle() {
      if (readContainer) notice(readContainer())
    },
    mostFrequent() {
      const [most, ...others] = [...growths.values()].sort((a, b) => b.growth - a.growth)
      // What has no size that can be read, as a promise, grows on the one line there is, or it can't be told.
      return most && (most.growth > 0 || others.length === 0) ? most.line : undefined
    }
  }
}

/**
 * @returns what reads the variable's value, as it was when a line that mentions it was last reached, and ends the watch:
 *   the value, still held here, would be this one's in the next snapshot
 */
export function watchVariable(
  heap: HeapInspector,
  sources: SourceTree,
  identifier: Identifier
): () => unknown {
  let last: unknown
  const keep = (_place: number, value: unknown) => {
    last = value
  }
  probeMatchingLines(heap, sources, [mentionOf(identifier)], keep, () => readSafely(identifier.name))
  return function readOnce(): unknown {
    heap.post('Debugger.disable')
    const value = last
    last = undefined
    return value
  }
}

let probes = 0

/**
 * Calls `probe` whenever one of the lines is reached.
 * @param toExpression what is evaluated in the scope of a line with this text, for `probe`
 * @returns the lines that match, at most MAX_PROBES, by the index that `probe` is told; undefined for one of Node's own
 */
export function probeMatchingLines<T>(
  heap: HeapInspector,
  sources: SourceTree,
  mentions: readonly Mention[],
  probe: (place: number, value: T) => void,
  toExpression: (text: string) => string
): (Line | undefined)[] {
  const name = `__leakCheckProbe${probes++}`
  Object.defineProperty(globalThis, name, { value: probe })
  const lines: (Line | undefined)[] = []
  for (const { scriptId, url } of listScripts(heap, sources)) {
    const patterns = mentions.filter((each) => mayStandIn(each, url)).map(({ pattern }) => pattern)
    if (patterns.length === 0) continue
    const source = isNodes(url) ? readScript(heap, scriptId) : readFileSync(fileURLToPath(url), 'utf8')
    for (const { line, text } of matchingLines(source, patterns)) {
      if (lines.length >= MAX_PROBES) return lines
      heap.post('Debugger.setBreakpoint', {
        location: { scriptId, lineNumber: line - 1 },
        // Always false: it never pauses.
        condition: `void globalThis.${name}(${lines.length}, ${toExpression(text)})`
      })
      lines.push(isNodes(url) ? undefined : { file: fileURLToPath(url), line })
    }
  }
  return lines
}

/** @returns an expression for what `path` leads to, or undefined where it leads nowhere */
export function readSafely(path: string): string {
  return `(() => { try { return ${path} } catch {} })()`
}

/** @returns what finds the identifier in a text, and not as a part of a longer one */
export function mentionOf({ name, scriptUrl }: Identifier, after = ''): Mention {
  const escaped = name.replace(/[^\w#]/g, '\\$&')
  return { pattern: new RegExp(`(?<![\\w$#])${escaped}(?![\\w$])${after}`), scriptUrl }
}

/** @returns one's own and Node's */
function listScripts(heap: HeapInspector, sources: SourceTree): Script[] {
  const scripts: Script[] = []
  function addScript({ params }: { params: Script }): void {
    const { url } = params
    const isOwn = url.startsWith('file:') && sources.isOwn(fileURLToPath(url)) && !isChecker(url)
    if (isOwn || isNodes(url)) scripts.push(params)
  }
  heap.on('Debugger.scriptParsed', addScript)
  // Enabled again, it tells of all scripts again.
  heap.post('Debugger.disable')
  heap.post('Debugger.enable')
  heap.off('Debugger.scriptParsed', addScript)
  return scripts
}

/** The check's own files are loaded in the same process. */
function isChecker(url: string): boolean {
  return url.startsWith(new URL('.', import.meta.url).href)
}

function isNodes(url: string): boolean {
  return url.startsWith('node:')
}

/** Of Node's scripts only the one that is known: a property may be anybody's there. */
function mayStandIn({ scriptUrl }: Mention, url: string): boolean {
  return scriptUrl === undefined ? !isNodes(url) : scriptUrl === url
}

function readScript(heap: HeapInspector, scriptId: string): string {
  return (heap.post('Debugger.getScriptSource', { scriptId }) as { scriptSource: string }).scriptSource
}

function matchingLines(source: string, patterns: readonly RegExp[]): { line: number; text: string }[] {
  return source
    .split('\n')
    .flatMap((text, index) =>
      patterns.some((pattern) => pattern.test(text)) ? [{ line: index + 1, text }] : []
    )
}
