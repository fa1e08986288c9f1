const MINUTE_MS = 60_000
const MINUTES = 60

/** Counts what happens in one-minute buckets; remembers the last 60, the current one included. */
export class HourCount {
  readonly #byMinute = new Map<number, number>()

  add(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS)
    const count = this.#byMinute.get(minute)
    this.#byMinute.set(minute, (count ?? 0) + 1)
    if (count === undefined) this.#forgetBefore(minute - MINUTES + 1)
  }

  #forgetBefore(oldest: number): void {
    for (const each of this.#byMinute.keys()) if (each < oldest) this.#byMinute.delete(each)
  }

  /** What was counted in the last 60 minutes, not extrapolated: a service just started has few, and says so. */
  lastHour(nowMs: number): number {
    const oldest = Math.floor(nowMs / MINUTE_MS) - MINUTES
    let total = 0
    for (const [minute, count] of this.#byMinute) if (minute > oldest) total += count
    return total
  }
}
