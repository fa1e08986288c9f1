/** The text of a statement without its values: what two executions of one statement have in common. */
import { createHash } from 'node:crypto'

/** Longer ones are cut: no person reads on. */
const MAX_STATEMENT_LENGTH = 4_000
const CACHED_STATEMENTS = 500
const ID_LENGTH = 12

/** In this order: a quote inside a comment opens no string, and a digit inside a name is no number. */
const TOKENS =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)|\b[eE]'(?:\\[\s\S]|''|[^'\\])*(?:'|$)|\b[xXbBuU]&?'(?:''|[^'])*(?:'|$)|'(?:''|[^'])*(?:'|$)|"(?:""|[^"])*"|\$\d+|[\p{L}_][\p{L}\p{N}_$]*|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|\s+/gu

const LISTS = /\b(IN|VALUES|ARRAY)\s*([([])(?:\s*(?:\?|\$\d+)\s*,)+\s*(?:\?|\$\d+)\s*[)\]]/gi
const ROWS = /(\(\?, …\)|\(\?\))(?:\s*,\s*\((?:\s*(?:\?|\$\d+)\s*,?)+\))+/g

const known = new Map<string, string>()

/**
 * @returns the statement with `?` for each literal, without comments, in one line, lists of values as `(?, …)`:
 * the same text however often and with whatever values it is run. Parameters (`$1`) stay as they are.
 */
export function normalizeSql(text: string): string {
  const cached = known.get(text)
  if (cached !== undefined) return cached
  const normalized = text
    .replace(TOKENS, replaceToken)
    .replace(LISTS, (_, keyword: string, open: string) => `${keyword} ${open}?, …${open === '(' ? ')' : ']'}`)
    .replace(ROWS, '$1, …')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_STATEMENT_LENGTH)
  if (text.length <= MAX_STATEMENT_LENGTH) remember(text, normalized)
  return normalized
}

/** @returns a short name for a normalised statement, the same in every process */
export function statementId(statement: string): string {
  return createHash('sha256').update(statement).digest('hex').slice(0, ID_LENGTH)
}

function remember(text: string, normalized: string): void {
  if (known.size >= CACHED_STATEMENTS) known.clear()
  known.set(text, normalized)
}

function replaceToken(token: string): string {
  if (/^(?:--|\/\*|\s)/.test(token)) return ' '
  if (/^(?:\$\d+$|")/.test(token)) return token
  if (token.endsWith("'") || /^(?:'|\$|\.?\d|[eExXbBuU]&?')/.test(token)) return '?'
  return token
}
