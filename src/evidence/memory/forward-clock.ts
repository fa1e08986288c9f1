/** Sets the clock of this very process forward: for one that is thrown away afterwards. */
import { performance } from 'node:perf_hooks'
import process from 'node:process'

/** @returns what puts the clock back; everything that asked for the time in between was told a later one */
export function setClockForward(byMs: number): () => void {
  const { Date: RealDate } = globalThis
  const { hrtime } = process
  const readMs = performance.now.bind(performance)
  const now = () => RealDate.now() + byMs
  const byNanos = BigInt(byMs) * 1_000_000n

  // A subclass would not know the dates that were made before as its own.
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, values, newTarget) =>
      Reflect.construct(target, values.length === 0 ? [now()] : values, newTarget),
    apply: () => new RealDate(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name))
  })
  Object.defineProperty(performance, 'now', {
    value: () => readMs() + byMs,
    configurable: true,
    writable: true
  })
  process.hrtime = Object.assign(
    function laterHrtime(since?: [number, number]): [number, number] {
      const [seconds, nanos] = hrtime()
      const [sinceSeconds, sinceNanos] = since ?? [0, 0]
      const elapsed = BigInt(seconds - sinceSeconds) * 1_000_000_000n + BigInt(nanos - sinceNanos) + byNanos
      return [Number(elapsed / 1_000_000_000n), Number(elapsed % 1_000_000_000n)]
    },
    { bigint: () => hrtime.bigint() + byNanos }
  )

  return function putBack(): void {
    globalThis.Date = RealDate
    Reflect.deleteProperty(performance, 'now')
    process.hrtime = hrtime
  }
}
