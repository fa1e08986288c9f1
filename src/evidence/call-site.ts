/** Finds the line of our own code in a V8 stack text. */
import { toPath } from './cpu-samples.ts'
import type { SourceTree } from './source-tree.ts'

export interface CallSite {
  functionName: string | null
  file: string
  line: number
}

/** `at async name (file:///a.ts:1:2)`, or without a name `at file:///a.ts:1:2`. */
const FRAME = /^\s*at (?:(?:async )?(.+?) \()?(?:async )?((?:file:\/\/|\/|[A-Za-z]:\\)[^)]*?):(\d+):\d+\)?$/

/** @returns the innermost own frame that is no mere wrapper, or undefined when the stack has none */
export function findCallSite(stack: string, sources: SourceTree): CallSite | undefined {
  for (const text of stack.split('\n')) {
    const match = FRAME.exec(text)
    if (!match?.[2]) continue
    const file = toPath(match[2])
    if (!sources.isOwn(file) || sources.isPlumbing(file)) continue
    return { functionName: match[1] ?? null, file, line: Number(match[3]) }
  }
  return undefined
}
