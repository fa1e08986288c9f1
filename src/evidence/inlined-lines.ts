/**
 * Where the lines that V8 reports really stand. Code that was inlined keeps its line, but often comes in the frame of
 * the function that it was inlined into: line 34 of a helper's file is reported as line 34 of its caller's file, which
 * may not even have so many, or have something else there.
 */
import type { Frame } from './cpu-samples.ts'
import type { LineWeights } from './line-index.ts'
import type { OwnFunction, SourceTree } from './source-tree.ts'

export interface Place {
  /** Absolute path. */
  file: string
  line: number
  functionName: string | undefined
  /** Of inlined code: the line of the frame's own function on which the way to it begins. */
  callLine?: number
}

/** By the line that was reported; undefined for a line of inlined code that is not ours. */
export type Places = Map<number, Place | undefined>

/** A function that the frame's function reaches. */
interface Reached {
  callee: OwnFunction
  callLine?: number
}

/** V8 inlines no deeper where code is of any size. */
const MAX_CALL_DEPTH = 4
/** Of the heaviest line's weight, what another has to have to tell something. */
const MIN_TELLING_SHARE = 0.2

/** @param lines of a frame on top of our part of a stack, with their weights: together they tell more than each alone */
export function locateLines(frame: Frame, lines: LineWeights, sources: SourceTree): Places {
  const fn = sources.functionFrom(frame.file, frame.startLine, frame.functionName)
  if (!fn || isAllOwn(fn, lines, sources)) {
    return new Map([...lines.keys()].map((line) => [line, ownPlace(frame.file, line, sources)]))
  }
  const reached = listReached(fn, sources)
  const inlined = findInlined(fn, lines, reached, sources)
  return new Map(
    [...lines.keys()].map((line) => [
      line,
      inlined && holds(inlined.callee, line)
        ? placeIn(inlined, line, sources)
        : locateLine(fn, line, reached, sources)
    ])
  )
}

/** @param line on which a frame calls the one above it */
export function locateCall(frame: Frame, line: number, sources: SourceTree): Place | undefined {
  const fn = sources.functionFrom(frame.file, frame.startLine, frame.functionName)
  if (!fn || holds(fn, line)) return ownPlace(frame.file, line, sources)
  return locateLine(fn, line, listReached(fn, sources), sources)
}

/** Nearly always: then nothing needs to be looked for. */
function isAllOwn(fn: OwnFunction, lines: LineWeights, sources: SourceTree): boolean {
  const isHeld = [...lines.keys()].every((line) => holds(fn, line))
  return isHeld && tellingLines(lines).some((line) => isOwnWork(fn, line, sources))
}

function tellingLines(lines: LineWeights): number[] {
  const most = Math.max(...lines.values())
  return [...lines].flatMap(([line, weight]) => (weight >= MIN_TELLING_SHARE * most ? [line] : []))
}

function locateLine(fn: OwnFunction, line: number, reached: readonly Reached[], sources: SourceTree) {
  const own = ownPlace(fn.file, line, sources)
  if (holds(fn, line)) return own
  const holders = reached.filter(({ callee }) => holds(callee, line))
  const found = holders.find(({ callee }) => isInLoop(callee, line, sources)) ?? holders[0]
  if (found) return placeIn(found, line, sources)
  // Of the same file it may be a method that no name leads to.
  return own.functionName === undefined ? undefined : own
}

/**
 * The nearest function reached whose loops hold all the telling lines, where none of these is work of the frame's own
 * function: its lines outside of loops run once a call, and the head of a loop, or a mere call, costs next to nothing.
 */
function findInlined(
  fn: OwnFunction,
  lines: LineWeights,
  reached: readonly Reached[],
  sources: SourceTree
): Reached | undefined {
  const telling = tellingLines(lines)
  if (telling.some((line) => holds(fn, line) && isOwnWork(fn, line, sources))) return undefined
  return reached.find(({ callee }) => telling.every((line) => isInLoop(callee, line, sources)))
}

function isOwnWork(fn: OwnFunction, line: number, sources: SourceTree): boolean {
  const called = sources.calledNamesAt(fn.file, line)
  if (called.length > 0) {
    const ownNames = sources.calleesAt(fn.file, line).map(({ name }) => name)
    return called.some((name) => !ownNames.includes(name))
  }
  return isInLoop(fn, line, sources) && sources.loopAt(fn.file, line)?.startLine !== line
}

/** @returns what `fn` calls or passes on, and what those do, the nearest first */
function listReached(fn: OwnFunction, sources: SourceTree): Reached[] {
  const seen = new Set([keyOf(fn)])
  const all: Reached[] = []
  let nearest: Reached[] = [{ callee: fn }]
  for (let depth = 0; depth < MAX_CALL_DEPTH; depth++) {
    nearest = nearest
      .flatMap((from) => listCallees(from, sources))
      .filter(({ callee }) => isNew(callee, seen))
    all.push(...nearest)
  }
  return all
}

function listCallees(
  { callee: { file, startLine, endLine }, callLine }: Reached,
  sources: SourceTree
): Reached[] {
  const callees: Reached[] = []
  for (let line = startLine; line <= endLine; line++) {
    for (const callee of [...sources.calleesAt(file, line), ...sources.passedAt(file, line)]) {
      callees.push({ callee, callLine: callLine ?? line })
    }
  }
  return callees
}

function isNew(fn: OwnFunction, seen: Set<string>): boolean {
  const before = seen.size
  return seen.add(keyOf(fn)).size > before
}

function ownPlace(file: string, line: number, sources: SourceTree): Place {
  return { file, line, functionName: sources.functionAt(file, line)?.name }
}

function placeIn({ callee, callLine }: Reached, line: number, sources: SourceTree): Place {
  return { ...ownPlace(callee.file, line, sources), ...(callLine === undefined ? {} : { callLine }) }
}

function isInLoop(fn: OwnFunction, line: number, sources: SourceTree): boolean {
  const loop = sources.loopAt(fn.file, line)
  return holds(fn, line) && loop !== undefined && loop.startLine >= fn.startLine
}

function holds({ startLine, endLine }: OwnFunction, line: number): boolean {
  return line >= startLine && line <= endLine
}

function keyOf({ file, startLine, endLine }: OwnFunction): string {
  return `${file}:${startLine}:${endLine}`
}
