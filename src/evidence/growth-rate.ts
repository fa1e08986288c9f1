export interface TimedBytes {
  atMs: number
  bytes: number
}

export interface GrowthRate {
  /** Bytes per hour; null when there are fewer than two points. */
  estimate: number | null
  /** Ends of the 95 % confidence interval. */
  low: number | null
  high: number | null
  /** Whether there are enough points, over enough time, to act on. */
  reliable: boolean
  /** The time between the first point and the last. */
  spanMs: number
}

const HOUR_MS = 3_600_000
const MIN_POINTS = 10
const MIN_SPAN_MS = 120_000
/** Two-sided 95 % of the normal distribution. */
const Z_95 = 1.96

/**
 * How fast memory grows: the Theil–Sen slope, the median over every two points, which one odd point does not
 * move; its interval after Sen (1968). Quadratic in the number of points.
 * @param points in order of time, no two at the same time
 */
export function estimateGrowthRate(points: readonly TimedBytes[]): GrowthRate {
  const slopes = pairwiseSlopes(points).sort((a, b) => a - b)
  if (slopes.length === 0) return { estimate: null, low: null, high: null, reliable: false, spanMs: 0 }
  const n = points.length
  const margin = Z_95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
  const spanMs = (points.at(-1)?.atMs ?? 0) - (points[0]?.atMs ?? 0)
  return {
    estimate: quantile(slopes, (slopes.length - 1) / 2),
    low: quantile(slopes, (slopes.length - margin) / 2 - 1),
    high: quantile(slopes, (slopes.length + margin) / 2),
    reliable: n >= MIN_POINTS && spanMs >= MIN_SPAN_MS,
    spanMs
  }
}

/** The practical's own threshold for a sustained growth. */
const MAX_BYTES_PER_HOUR = 10 * 2 ** 20
/**
 * In a young process that is healthy the floor was seen to rise by 16 to 19 MB an hour for five minutes, and to fall
 * again: compiled code, rings of recent requests, spans that a profile holds. So what is slow has to add up to more.
 */
const FAST_BYTES_PER_HOUR = 40 * 2 ** 20
const MIN_GROWN_BYTES = { fast: 1.5 * 2 ** 20, slow: 3.5 * 2 ** 20 }

/** @returns whether memory grows for certain: the whole interval lies above 10 MB an hour, and it adds up */
export function isSustained({ low, reliable, spanMs }: GrowthRate): boolean {
  if (!reliable || low === null) return false
  const minGrownBytes = low >= FAST_BYTES_PER_HOUR ? MIN_GROWN_BYTES.fast : MIN_GROWN_BYTES.slow
  return low > MAX_BYTES_PER_HOUR && (low * spanMs) / HOUR_MS >= minGrownBytes
}

function pairwiseSlopes(points: readonly TimedBytes[]): number[] {
  const slopes: number[] = []
  for (const [index, from] of points.entries()) {
    for (const to of points.slice(index + 1)) {
      slopes.push(((to.bytes - from.bytes) / (to.atMs - from.atMs)) * HOUR_MS)
    }
  }
  return slopes
}

/** The value at a place between 0 and length - 1 that need not be whole; beyond the ends, the end. */
function quantile(sorted: readonly number[], place: number): number {
  const inside = Math.min(Math.max(place, 0), sorted.length - 1)
  const below = sorted[Math.floor(inside)] ?? 0
  const above = sorted[Math.ceil(inside)] ?? 0
  return below + (above - below) * (inside % 1)
}
