const MINUTE_MS = 60_000
const MINUTES = 60

/** Counts requests in one-minute buckets; remembers the last 60, the current one included. */
export class RequestCount {
  readonly #byMinute = new Map<number, number>()

  add(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS)
    this.#byMinute.set(minute, (this.#byMinute.get(minute) ?? 0) + 1)
    for (const each of this.#byMinute.keys()) if (each <= minute - MINUTES) this.#byMinute.delete(each)
  }

  /** Requests of the last 60 minutes as they were counted: a service just started has few, and says so. */
  lastHour(nowMs: number): number {
    const oldest = Math.floor(nowMs / MINUTE_MS) - MINUTES
    let total = 0
    for (const [minute, count] of this.#byMinute) if (minute > oldest) total += count
    return total
  }
}
