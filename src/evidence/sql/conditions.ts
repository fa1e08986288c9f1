/** Reads the conditions of a plan as PostgreSQL writes them: which columns they compare, and what index could serve. */

export interface Comparison {
  /** As the database writes it, quotes included. */
  column: string
  /** Index keys that might serve, to be tried in this order; none where an ordinary index cannot. */
  keys: string[]
  /** `other`: an operator or pattern that an ordinary index does not serve. */
  operator: 'equality' | 'range' | 'other'
  /** What stands around the column and hides it from an index on the column, without values. */
  wrapper: string | null
}

/** A list of this many alternatives is a machine's; reading it would take longer than it tells. */
const MAX_CONDITION_LENGTH = 20_000
const NAME = '(?:[\\p{L}_][\\p{L}\\p{N}_$]*|"(?:[^"]|"")+")'
const OPERATOR = /\s([<>=~!@#%^&|*+/?-]+)\s/

/**
 * @param condition such as `((o.customer_id = 5) AND (lower(o.email) = 'a'::text))`
 * @param alias of the table whose columns are looked for
 * @returns what is compared, of conditions that all have to hold; alternatives (OR) are none
 */
export function readComparisons(condition: string, alias: string): Comparison[] {
  if (condition.length > MAX_CONDITION_LENGTH) return []
  return splitConjuncts(condition).flatMap(
    (conjunct) => readComparison(conjunct, quoteIdentifier(alias)) ?? []
  )
}

/** @returns the name as it is written in SQL */
export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

/**
 * @param key an entry of a plan's Sort Key, such as `o.created DESC` or `(lower(o.name))`
 * @returns what an index in that order would be on, or undefined where the key is not that table's alone
 */
export function readSortKey(key: string, alias: string): Comparison | undefined {
  const own = key.replace(/(?: COLLATE \S+)?(?: DESC)?(?: NULLS (?:FIRST|LAST))?$/, '')
  return describeComparison(own, '=', '', quoteIdentifier(alias))
}

/** @returns whether the condition looks at a column of that table */
export function mentionsTable(condition: string, alias: string): boolean {
  return mentions(condition, quoteIdentifier(alias))
}

function mentions(text: string, alias: string): boolean {
  return new RegExp(`(?<![\\p{L}\\p{N}_"$.])${RegExp.escape(alias)}\\.${NAME}`, 'u').test(maskValues(text))
}

function splitConjuncts(condition: string): string[] {
  const text = stripParentheses(condition)
  const mask = maskNested(text)
  const parts: string[] = []
  let start = 0
  for (const { index } of mask.matchAll(/ AND /g)) {
    parts.push(text.slice(start, index))
    start = index + ' AND '.length
  }
  return parts.length === 0 ? [text] : [...parts, text.slice(start)].flatMap(splitConjuncts)
}

function readComparison(conjunct: string, alias: string): Comparison | undefined {
  const match = OPERATOR.exec(maskNested(conjunct))
  if (!match?.[1]) return undefined
  const left = conjunct.slice(0, match.index)
  const right = conjunct.slice(match.index + match[0].length)
  const [own, other] = mentions(left, alias) ? [left, right] : [right, left]
  if (!mentions(own, alias) || mentions(other, alias)) return undefined
  return describeComparison(own, match[1], other, alias)
}

function describeComparison(own: string, sign: string, other: string, alias: string): Comparison | undefined {
  const column = new RegExp(`(?<![\\p{L}\\p{N}_"$.])${RegExp.escape(alias)}\\.(${NAME})`, 'u').exec(own)?.[1]
  if (column === undefined) return undefined
  const operator = operatorOf(sign, other)
  const text = stripParentheses(own)
  if (text === `${alias}.${column}`) {
    const key = sign === '~~' ? `${column} text_pattern_ops` : column
    return { column, keys: operator === 'other' ? [] : [key], operator, wrapper: null }
  }
  if (operator === 'other') return { column, keys: [], operator, wrapper: null }
  const expression = text.replaceAll(`${alias}.`, '')
  const isCastToText = text === `(${alias}.${column})::text`
  return {
    column,
    // For varchar the cast is nothing: an index on the column serves. An expression with values in it is no advice.
    keys: [
      ...(isCastToText ? [column] : []),
      ...(/['\d]/.test(maskNames(expression)) ? [] : [`(${expression})`])
    ],
    operator,
    wrapper: maskValues(expression)
  }
}

function operatorOf(sign: string, other: string): Comparison['operator'] {
  if (sign === '=') return 'equality'
  if (/^[<>]=?$/.test(sign)) return 'range'
  // A pattern serves up to its first wildcard.
  if (sign === '~~' && /^'[^%_\\']/.test(other)) return 'range'
  return 'other'
}

/** Names may hold digits. */
function maskNames(text: string): string {
  return text.replace(new RegExp(NAME, 'gu'), 'n')
}

function stripParentheses(text: string): string {
  let inner = text.trim()
  while (inner.startsWith('(') && closesAt(inner) === inner.length - 1) inner = inner.slice(1, -1).trim()
  return inner
}

/** @returns where the parenthesis that the text begins with is closed */
function closesAt(text: string): number {
  return maskQuoted(text)
    .split('')
    .reduce(
      (state, character, index) => {
        if (state.end >= 0) return state
        if (character === '(') state.depth += 1
        if (character === ')') state.depth -= 1
        if (state.depth === 0) state.end = index
        return state
      },
      { depth: 0, end: -1 }
    ).end
}

/** The text with everything in parentheses or quotes blanked, at its length. */
function maskNested(text: string): string {
  let depth = 0
  return maskQuoted(text).replace(/./gsu, (character) => {
    if (character === '(') depth += 1
    const masked = depth > 0 ? '_'.repeat(character.length) : character
    if (character === ')') depth -= 1
    return masked
  })
}

function maskValues(text: string): string {
  return text.replace(/'(?:[^']|'')*'/g, '?')
}

function maskQuoted(text: string): string {
  return text.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"/g, (quoted) => '_'.repeat(quoted.length))
}
