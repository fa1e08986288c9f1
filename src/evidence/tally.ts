/** Sums, of values and by key. */

export function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** Adds `value` to what stands under `key`, which is 0 where nothing does. */
export function addTo<K>(totals: Map<K, number>, key: K, value: number): void {
  totals.set(key, (totals.get(key) ?? 0) + value)
}
