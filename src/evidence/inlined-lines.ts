/**
 * Where a line that V8 reports really stands. Code that was inlined keeps its line, but often comes in the frame of the
 * function that it was inlined into: line 34 of a helper's file is reported as line 34 of its caller's file, which may
 * not even have so many.
 */
import type { Frame } from './cpu-samples.ts'
import type { OwnFunction, SourceTree } from './source-tree.ts'

export interface Place {
  /** Absolute path. */
  file: string
  line: number
  functionName: string | undefined
  /** Of inlined code: the line of the frame's own function on which the way to it begins. */
  callLine?: number
}

/** @returns undefined for a line of inlined code that is not ours */
export type LineLocator = (frame: Frame, line: number) => Place | undefined

/** V8 inlines no deeper where code is of any size. */
const MAX_CALL_DEPTH = 4

/** @returns a locator that remembers what it found */
export function createLineLocator(sources: SourceTree): LineLocator {
  const known = new Map<string, Place | undefined>()
  return function locate(frame, line) {
    const key = `${frame.file}:${frame.startLine}:${frame.functionName}:${line}`
    if (!known.has(key)) known.set(key, locateLine(frame, line, sources))
    return known.get(key)
  }
}

function locateLine({ file, startLine, functionName }: Frame, line: number, sources: SourceTree) {
  const own = { file, line, functionName: sources.functionAt(file, line)?.name }
  const fn = sources.functionFrom(file, startLine, functionName)
  if (!fn) return own
  const isWithin = holds(fn, line)
  if (isWithin && mayBeHot(fn, line, sources)) return own
  const inlined = findInlined(fn, line, sources)
  if (inlined && (!isWithin || sources.loopAt(inlined.file, line))) return inlined
  // Of the same file it may be a method that no name leads to.
  return isWithin || own.functionName !== undefined ? own : undefined
}

/** A line outside of any loop of its function, and without a call, takes no time to speak of. */
function mayBeHot(fn: OwnFunction, line: number, sources: SourceTree): boolean {
  const loop = sources.loopAt(fn.file, line)
  return (loop !== undefined && loop.startLine >= fn.startLine) || sources.hasCallAt(fn.file, line)
}

/** The function that holds the line, of those that `fn` calls, and those that they call: the nearest. */
function findInlined(fn: OwnFunction, line: number, sources: SourceTree): Place | undefined {
  const seen = new Set([keyOf(fn)])
  let reached: { callee: OwnFunction; callLine?: number }[] = [{ callee: fn }]
  for (let depth = 0; depth < MAX_CALL_DEPTH; depth++) {
    reached = reached
      .flatMap(({ callee, callLine }) =>
        listCallees(callee, sources).map((next) => ({
          callee: next.callee,
          callLine: callLine ?? next.callLine
        }))
      )
      .filter(({ callee }) => !seen.has(keyOf(callee)) && seen.add(keyOf(callee)))
    const holders = reached.filter(({ callee }) => holds(callee, line))
    const found = holders.find(({ callee }) => sources.loopAt(callee.file, line)) ?? holders[0]
    if (found) {
      const { callee, callLine } = found
      const functionName = sources.functionAt(callee.file, line)?.name
      return { file: callee.file, line, functionName, ...(callLine === undefined ? {} : { callLine }) }
    }
  }
  return undefined
}

function listCallees({ file, startLine, endLine }: OwnFunction, sources: SourceTree) {
  const callees: { callee: OwnFunction; callLine: number }[] = []
  for (let callLine = startLine; callLine <= endLine; callLine++) {
    for (const callee of [...sources.calleesAt(file, callLine), ...sources.passedAt(file, callLine)]) {
      callees.push({ callee, callLine })
    }
  }
  return callees
}

function holds({ startLine, endLine }: OwnFunction, line: number): boolean {
  return line >= startLine && line <= endLine
}

function keyOf({ file, startLine, endLine }: OwnFunction): string {
  return `${file}:${startLine}:${endLine}`
}
