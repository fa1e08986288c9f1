import { performance } from 'node:perf_hooks'

/** The shortest of `runs` runs in ms: what the code costs when nothing else holds the machine up. */
export function fastestMs(runs: number, fn: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run++) {
    const startMs = performance.now()
    fn()
    best = Math.min(best, performance.now() - startMs)
  }
  return best
}
