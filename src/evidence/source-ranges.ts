/** Reads from a source text which lines its functions and loops span, and what it calls where. */
import { type ParserOptions, parse } from '@babel/parser'

export interface SourceRange {
  startLine: number
  endLine: number
}

export interface SourceFunction extends SourceRange {
  /** As V8 names it: `save`, `get total`; empty for a function without a name. */
  name: string
}

export interface SourceCall {
  line: number
  /** Of the function or method: `price` in `price(order)` and in `shop.price(order)`. */
  name: string
  /** The functions written out among its arguments. */
  inlineFunctions: SourceFunction[]
  /** The names among its arguments, which may be functions'. */
  passedNames: string[]
  /** The texts among its arguments. */
  texts: string[]
}

export interface SourceRanges {
  functions: SourceFunction[]
  loops: SourceRange[]
  calls: SourceCall[]
  /** What it imports, as written. */
  imports: string[]
}

interface SyntaxNode {
  type: string
  loc?: { start: { line: number }; end: { line: number } }
  [key: string]: unknown
}

const PARSER_OPTIONS: ParserOptions = {
  sourceType: 'module',
  plugins: ['typescript'],
  // import() with its `source` like every other import.
  createImportExpressions: true,
  errorRecovery: true
}
const LOOP = /^(For|ForIn|ForOf|While|DoWhile)Statement$/
const CALL = /^(Optional)?CallExpression$|^NewExpression$/
const FUNCTION =
  /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|ObjectMethod|ClassMethod|ClassPrivateMethod)$/

/** @returns no ranges for a text that can't be parsed: a diagnosis does without them */
export function readSourceRanges(text: string): SourceRanges {
  const ranges: SourceRanges = { functions: [], loops: [], calls: [], imports: [] }
  try {
    visit(parse(text, PARSER_OPTIONS).program as unknown as SyntaxNode, '', ranges)
  } catch {
    return { functions: [], loops: [], calls: [], imports: [] }
  }
  return ranges
}

/** @param inheritedName the name that what the node is assigned to gives it */
function visit(node: SyntaxNode, inheritedName: string, ranges: SourceRanges): void {
  const range = rangeOf(node)
  if (LOOP.test(node.type)) ranges.loops.push(range)
  if (FUNCTION.test(node.type)) ranges.functions.push({ ...range, name: nameOf(node) || inheritedName })
  if (CALL.test(node.type)) addCall(node, ranges.calls)
  const imported = (node.source as SyntaxNode | undefined | null)?.value
  if (typeof imported === 'string') ranges.imports.push(imported)
  for (const [key, value] of Object.entries(node)) {
    if (key === 'loc') continue
    const given = key === 'init' || key === 'value' || key === 'right' ? nameOf(node) : ''
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, given, ranges)
    }
  }
}

function addCall({ callee, arguments: args }: SyntaxNode, calls: SourceCall[]): void {
  if (!isNode(callee)) return
  const target = isNode(callee.property) ? callee.property : callee
  const passed = (args as SyntaxNode[]).filter(isNode)
  calls.push({
    line: target.loc?.start.line ?? 0,
    name: identifier(target),
    inlineFunctions: passed.filter(({ type }) => FUNCTION.test(type)).map(toFunction),
    passedNames: passed.map(identifier).filter((name) => name !== ''),
    texts: passed.flatMap(({ type, value }) => (type === 'StringLiteral' ? [value as string] : []))
  })
}

function toFunction(node: SyntaxNode): SourceFunction {
  return { ...rangeOf(node), name: nameOf(node) }
}

function rangeOf({ loc }: SyntaxNode): SourceRange {
  return { startLine: loc?.start.line ?? 0, endLine: loc?.end.line ?? 0 }
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof (value as SyntaxNode | null)?.type === 'string'
}

/** The name of a function, method, variable, property or assignment target. */
function nameOf(node: SyntaxNode): string {
  const target = (node.id ?? node.key ?? node.left) as SyntaxNode | undefined | null
  const name = identifier(target)
  return name !== '' && (node.kind === 'get' || node.kind === 'set') ? `${node.kind} ${name}` : name
}

function identifier(target: SyntaxNode | undefined | null): string {
  if (target?.type === 'PrivateName') return `#${identifier(target.id as SyntaxNode)}`
  return typeof target?.name === 'string' ? target.name : ''
}

/** @returns the smallest range that holds the line */
export function innermost<T extends SourceRange>(ranges: readonly T[], line: number): T | undefined {
  let found: T | undefined
  for (const range of ranges) {
    if (range.startLine > line || range.endLine < line) continue
    if (!found || range.endLine - range.startLine <= found.endLine - found.startLine) found = range
  }
  return found
}
