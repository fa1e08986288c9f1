/** Tells our own source from libraries and the runtime, and reads single lines of it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

export interface SourceTree {
  /** @param file absolute path as V8 reports it */
  isOwn(file: string): boolean
  /** True for own files that only pass a call on (tracing wrappers): left out of the middle of a chain. */
  isPlumbing(file: string): boolean
  /** @returns the path relative to the root, with forward slashes */
  relativePath(file: string): string
  /** @returns the trimmed text of a line (from 1), or null when the file or the line does not exist */
  lineText(file: string, line: number): string | null
}

const MAX_CACHED_FILES = 200

/**
 * @param rootDir absolute path of the repository
 * @param plumbing paths relative to it of own files that only pass calls on
 */
export function createSourceTree(rootDir: string, plumbing: readonly string[] = []): SourceTree {
  const prefix = rootDir.endsWith(path.sep) ? rootDir : rootDir + path.sep
  const plumbingFiles = new Set(plumbing)
  const linesByFile = new Map<string, string[]>()

  function isOwn(file: string): boolean {
    return file.startsWith(prefix) && !file.includes(`${path.sep}node_modules${path.sep}`)
  }

  function relativePath(file: string): string {
    return path.relative(rootDir, file).split(path.sep).join('/')
  }

  function linesOf(file: string): string[] {
    const cached = linesByFile.get(file)
    if (cached) return cached
    if (linesByFile.size >= MAX_CACHED_FILES) linesByFile.clear()
    const lines = readLines(file)
    linesByFile.set(file, lines)
    return lines
  }

  return {
    isOwn,
    relativePath,
    isPlumbing(file) {
      return isOwn(file) && plumbingFiles.has(relativePath(file))
    },
    lineText(file, line) {
      // Only what V8 reported as code of this repository is read: a path can't be smuggled in by a request.
      return isOwn(file) ? (linesOf(file)[line - 1]?.trim() ?? null) : null
    }
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)
  } catch {
    return []
  }
}
