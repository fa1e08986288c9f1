/** Tells our own source from libraries and the runtime, and knows its lines, functions and loops. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import {
  innermost,
  readSourceRanges,
  type SourceCall,
  type SourceFunction,
  type SourceRange
} from './source-ranges.ts'

/** A function of ours and the file it stands in. */
export interface OwnFunction extends SourceFunction {
  /** Absolute path. */
  file: string
}

export interface SourceTree {
  /** @param file absolute path as V8 reports it */
  isOwn(file: string): boolean
  /** True for own files that only pass a call on (tracing wrappers): left out of the middle of a chain. */
  isPlumbing(file: string): boolean
  /** @returns the path relative to the root, with forward slashes */
  relativePath(file: string): string
  /** @returns the innermost function with a name that the line stands in, whatever V8 inlined it into */
  functionAt(file: string, line: number): SourceFunction | undefined
  /** @returns the function that begins on a line: the one of that name, or else the longest */
  functionFrom(file: string, startLine: number, name: string): OwnFunction | undefined
  /** @returns the names of what is called on the line */
  calledNamesAt(file: string, line: number): string[]
  /** @returns the innermost loop that the line stands in */
  loopAt(file: string, line: number): SourceRange | undefined
  /** @returns our functions that the calls on a line may reach, by name: of the same file, or of one it imports */
  calleesAt(file: string, line: number): OwnFunction[]
  /** @returns our functions that are passed to the calls on a line, written out there or by name */
  passedAt(file: string, line: number): OwnFunction[]
  /** @returns our functions that are passed, anywhere, to a call together with a text, such as a span's name */
  passedWithText(text: string): OwnFunction[]
  /** @returns the loops within a function that hold no other loop */
  innermostLoopsOf(fn: OwnFunction): SourceRange[]
  /** @returns the trimmed text of a line (from 1), or null when the file or the line does not exist */
  lineText(file: string, line: number): string | null
}

const MAX_CACHED_FILES = 200
const MAX_SOURCE_FILES = 5_000

interface SourceFile {
  lines: string[]
  functions: SourceFunction[]
  namedFunctions: SourceFunction[]
  loops: SourceRange[]
  calls: SourceCall[]
  /** Absolute paths of the files that it imports by a relative path. */
  imports: string[]
}

/**
 * @param rootDir absolute path of the repository
 * @param plumbing paths relative to it of own files that only pass calls on
 */
export function createSourceTree(rootDir: string, plumbing: readonly string[] = []): SourceTree {
  const prefix = rootDir.endsWith(path.sep) ? rootDir : rootDir + path.sep
  const plumbingFiles = new Set(plumbing)
  const files = new Map<string, SourceFile>()
  /** Each is found by reading every source there is. */
  const passedByText = new Map<string, OwnFunction[]>()

  function isOwn(file: string): boolean {
    return file.startsWith(prefix) && !file.includes(`${path.sep}node_modules${path.sep}`)
  }

  function relativePath(file: string): string {
    return path.relative(rootDir, file).split(path.sep).join('/')
  }

  function open(file: string): SourceFile {
    const known = files.get(file)
    if (known) return known
    if (files.size >= MAX_CACHED_FILES) files.clear()
    // Only what V8 reported as code of this repository is read: a path can't be smuggled in by a request.
    const source = readSourceFile(isOwn(file) ? file : undefined)
    files.set(file, source)
    return source
  }

  function callsAt(file: string, line: number): SourceCall[] {
    return open(file).calls.filter((call) => call.line === line)
  }

  function calledNamesAt(file: string, line: number): string[] {
    return callsAt(file, line).map(({ name }) => name)
  }

  /** Of the file itself, or of one that it imports. */
  function findByName(file: string, names: readonly string[]): OwnFunction[] {
    return [file, ...open(file).imports].flatMap((reached) =>
      open(reached).namedFunctions.flatMap((fn) => (names.includes(fn.name) ? { ...fn, file: reached } : []))
    )
  }

  function passedTo(file: string, calls: readonly SourceCall[]): OwnFunction[] {
    const inline = calls.flatMap(({ inlineFunctions }) => inlineFunctions.map((fn) => ({ ...fn, file })))
    const names = calls.flatMap(({ passedNames }) => passedNames)
    return [...inline, ...findByName(file, names)]
  }

  function findPassedWith(text: string): OwnFunction[] {
    return listSourceFiles(rootDir).flatMap(function findInFile(file) {
      const source = readText(file)
      // Parsed only where it stands.
      if (!source.includes(`'${text}'`) && !source.includes(`"${text}"`)) return []
      const calls = open(file).calls.filter(({ texts }) => texts.includes(text))
      return passedTo(file, calls)
    })
  }

  return {
    isOwn,
    relativePath,
    isPlumbing(file) {
      return isOwn(file) && plumbingFiles.has(relativePath(file))
    },
    functionAt(file, line) {
      return innermost(open(file).namedFunctions, line)
    },
    functionFrom(file, startLine, name) {
      const begun = open(file).functions.filter((fn) => fn.startLine === startLine)
      const [longest] = begun.toSorted((a, b) => b.endLine - a.endLine)
      const fn = begun.find((each) => each.name === name) ?? longest
      return fn && { ...fn, file }
    },
    calledNamesAt,
    loopAt(file, line) {
      return innermost(open(file).loops, line)
    },
    calleesAt(file, line) {
      return findByName(file, calledNamesAt(file, line))
    },
    passedAt: (file, line) => passedTo(file, callsAt(file, line)),
    passedWithText(text) {
      const passed = passedByText.get(text) ?? findPassedWith(text)
      passedByText.set(text, passed)
      return passed
    },
    innermostLoopsOf({ file, startLine, endLine }) {
      const loops = open(file).loops.filter((loop) => loop.startLine >= startLine && loop.endLine <= endLine)
      return loops.filter((loop) => !loops.some((other) => other !== loop && isWithin(other, loop)))
    },
    lineText(file, line) {
      return open(file).lines[line - 1]?.trim() ?? null
    }
  }
}

/** Only tells own files from others: for a quick look, which must not read and parse them. */
export function createShallowSourceTree(rootDir: string): SourceTree {
  return {
    ...createSourceTree(rootDir),
    functionAt: () => undefined,
    functionFrom: () => undefined,
    calledNamesAt: () => [],
    loopAt: () => undefined,
    calleesAt: () => [],
    passedAt: () => [],
    passedWithText: () => [],
    innermostLoopsOf: () => [],
    lineText: () => null
  }
}

function readSourceFile(file: string | undefined): SourceFile {
  const text = file === undefined ? '' : readText(file)
  const { functions, loops, calls, imports } = readSourceRanges(text)
  return {
    lines: text === '' ? [] : text.split(/\r?\n/),
    functions,
    namedFunctions: functions.filter(({ name }) => name !== ''),
    loops,
    calls,
    imports: imports
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => path.resolve(path.dirname(file ?? ''), specifier))
  }
}

/** @returns absolute paths of the sources beneath a directory, without libraries and hidden ones */
function listSourceFiles(directory: string): string[] {
  const names = globSync('**/*.{ts,mts,cts,js,mjs,cjs}', {
    cwd: directory,
    exclude: (name) => name === 'node_modules' || name.startsWith('.')
  })
  return names.slice(0, MAX_SOURCE_FILES).map((name) => path.join(directory, name))
}

function isWithin(inner: SourceRange, outer: SourceRange): boolean {
  return inner.startLine >= outer.startLine && inner.endLine <= outer.endLine
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
