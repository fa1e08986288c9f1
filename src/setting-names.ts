/** Prefixes under which other programs' names are expected in a `.env`, so that they are no typo of ours. */
const foreignPrefixes = ['OTEL_', 'DD_', 'NODE_', 'npm_']

/**
 * Names in a `.env` that no program is known to read: most likely typos of ours, which would otherwise pass in
 * silence with the default in force.
 */
export function warnOfUnknownNames(names: string[], known: string[]): string[] {
  return names
    .filter((name) => !known.includes(name))
    .flatMap(function warnOfOne(name) {
      // Two letters of four make another word (PATH, PORT).
      const tolerance = Math.min(2, Math.floor(name.length / 4))
      const meant = known.find((each) => editDistance(name, each) <= tolerance)
      if (meant) return `.env: ${name} is no setting of this service; did you mean ${meant}?`
      return foreignPrefixes.some((prefix) => name.startsWith(prefix))
        ? []
        : `.env: ${name} is no setting of this service`
    })
}

/** Levenshtein distance: single-letter insertions, deletions and replacements from a to b. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
