/** Writes the one statement that does what a repeated one does: for all keys at once. */

const COLUMN = '(?:[\\p{L}_][\\p{L}\\p{N}_$]*|"(?:[^"]|"")+")'
const VALUE = '(?:\\$\\d+|\\?)'
const KEY_CONDITION = new RegExp(`((?:${COLUMN}\\.)*(${COLUMN}))\\s*=\\s*${VALUE}(?:::\\w+)?`, 'iu')

/**
 * @param statement normalised
 * @returns the statement with the key as an array, or undefined where its form does not tell the key
 */
export function writeBatchStatement(statement: string): string | undefined {
  const kind = /^\w+/.exec(statement)?.[0]?.toUpperCase()
  if (kind === 'INSERT') return writeBatchInsert(statement)
  const where = statement.search(/\bWHERE\b/i)
  const condition = where < 0 ? null : KEY_CONDITION.exec(statement.slice(where))
  if (!condition?.[1] || !condition[2]) return undefined
  if (kind === 'SELECT' || kind === 'DELETE')
    return writeBatchSelect(statement, where, condition[1], condition[2])
  if (kind === 'UPDATE') {
    return `${statement.slice(0, where)}FROM (VALUES (key, value), …) AS changes (key, value) WHERE ${condition[1]} = changes.key`
  }
  return undefined
}

/** The key is selected as well, or nobody could tell whose row is whose; a LIMIT would be one for all. */
function writeBatchSelect(statement: string, where: number, key: string, column: string): string | undefined {
  if (/\b(?:LIMIT|FETCH FIRST|OFFSET)\b/i.test(statement.slice(where))) return undefined
  const head = statement
    .slice(0, where)
    .replace(/^SELECT (?!DISTINCT\b)(.*?) FROM /i, (select, list: string) => {
      const isSelected =
        list.includes('*') || new RegExp(`(?:^|[\\s.,])${column}(?:[\\s,]|$)`, 'u').test(list)
      return isSelected || /\(/.test(list) ? select : `SELECT ${key}, ${list} FROM `
    })
  const tail = statement.slice(where).replace(KEY_CONDITION, '$1 = ANY($$1)')
  return head + tail.replace(/\bORDER BY /i, `ORDER BY ${key}, `)
}

function writeBatchInsert(statement: string): string | undefined {
  const match = /^(INSERT INTO .*?)\s*VALUES\s*(\([^)]*\))/i.exec(statement)
  return match ? `${match[1]} VALUES ${match[2]}, ${match[2]}, …` : undefined
}
