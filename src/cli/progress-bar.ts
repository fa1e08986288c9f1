import { performance } from 'node:perf_hooks'
import { SingleBar } from 'cli-progress'

const UPDATE_INTERVAL_MS = 200

/**
 * Shows on stderr how much of `seconds` has passed, and `counts` as they change; nothing where it is no terminal.
 * @param doing the bar's first word, such as `sending`
 * @returns how to take it away
 */
export function showProgress(
  doing: string,
  seconds: number,
  counts: { answered: number; failed: number }
): () => void {
  const bar = new SingleBar({
    format: `${doing} {bar} {value}/{total} s · {answered} answered, {failed} failed`,
    formatValue: (value, _options, type) =>
      type === 'value' || type === 'total' ? value.toFixed(0) : String(value),
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true
  })
  const startedAt = performance.now()
  bar.start(seconds, 0, counts)
  const timer = setInterval(function update() {
    bar.update(Math.min((performance.now() - startedAt) / 1000, seconds), counts)
  }, UPDATE_INTERVAL_MS)
  return function stop() {
    clearInterval(timer)
    bar.stop()
  }
}
