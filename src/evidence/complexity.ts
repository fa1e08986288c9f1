/**
 * Empirical complexity: how a span's own CPU time grows with the size it worked on, as the slope of a straight
 * line through (log size, log ms).
 *
 * The slope can't tell n log n from n^1.2; words about it must not either.
 */
import type { RecordedSpan } from './span-recorder.ts'
import type { SpanTree } from './span-tree.ts'

export interface Growth {
  /** The numeric span attribute that the time grows with. */
  attribute: string
  exponent: number
  /** 95 % confidence interval of the exponent. */
  low: number
  high: number
  /** One point a span, smallest size first. */
  points: { size: number; ms: number }[]
}

/** Fewer distinct sizes, or a narrower spread of them, can't carry an exponent. */
const MIN_DISTINCT_SIZES = 4
const MIN_SIZE_RATIO = 3
/** Wider intervals don't separate linear from quadratic: better to say nothing. */
const MAX_HALF_INTERVAL = 0.4
const MIN_R_SQUARED = 0.9
/** Below this a timing is the clock's noise. */
const MIN_POINT_MS = 0.05

/** Two-sided 95 % quantiles of Student's t for 1..10 degrees of freedom; from there on close to the normal's. */
export const T_95 = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23]

/**
 * @param spans spans of one name
 * @returns the growth with the attribute that explains it best, or undefined where the data does not carry one
 */
export function fitGrowth(spans: readonly RecordedSpan[], tree: SpanTree): Growth | undefined {
  const finished = spans.filter(({ ended }) => ended)
  const fits = numericAttributes(finished).flatMap((attribute) => {
    const points = finished.flatMap((span) => toPoint(span, attribute, tree))
    return fitPoints(attribute, points) ?? []
  })
  return fits.sort((a, b) => b.rSquared - a.rSquared)[0]?.growth
}

function numericAttributes(spans: readonly RecordedSpan[]): string[] {
  const names = new Set<string>()
  for (const span of spans) {
    for (const [name, value] of Object.entries(span.attributes)) {
      if (typeof value === 'number' && value > 0) names.add(name)
    }
  }
  return [...names]
}

function toPoint(span: RecordedSpan, attribute: string, tree: SpanTree): { size: number; ms: number }[] {
  const size = span.attributes[attribute]
  const ms = ownCpuMs(span, tree)
  return typeof size === 'number' && size > 0 && ms >= MIN_POINT_MS ? [{ size, ms }] : []
}

/** The thread's CPU time during the span and none of its children: its own where it keeps the thread to itself. */
function ownCpuMs(span: RecordedSpan, tree: SpanTree): number {
  const children = tree.childrenOf(span)
  return span.threadCpuMs - children.reduce((sum, child) => sum + child.threadCpuMs, 0)
}

function fitPoints(attribute: string, points: { size: number; ms: number }[]) {
  const sizes = new Set(points.map(({ size }) => size))
  if (sizes.size < MIN_DISTINCT_SIZES) return undefined
  if (Math.max(...sizes) / Math.min(...sizes) < MIN_SIZE_RATIO) return undefined
  const line = fitLine(points.map(({ size, ms }) => [Math.log(size), Math.log(ms)]))
  const half = line.slopeError * (T_95[points.length - 3] ?? 2)
  if (line.rSquared < MIN_R_SQUARED || half > MAX_HALF_INTERVAL) return undefined
  const growth: Growth = {
    attribute,
    exponent: line.slope,
    low: line.slope - half,
    high: line.slope + half,
    points: points.toSorted((a, b) => a.size - b.size)
  }
  return { growth, rSquared: line.rSquared }
}

/** Ordinary least squares. @returns slope, its standard error, and the share of the variance it explains */
export function fitLine(points: [x: number, y: number][]) {
  const n = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n
  let sxx = 0
  let sxy = 0
  let syy = 0
  for (const [x, y] of points) {
    sxx += (x - meanX) ** 2
    sxy += (x - meanX) * (y - meanY)
    syy += (y - meanY) ** 2
  }
  const slope = sxy / sxx
  const residual = Math.max(syy - slope * sxy, 0)
  return {
    slope,
    slopeError: Math.sqrt(residual / (n - 2) / sxx),
    rSquared: syy === 0 ? 0 : 1 - residual / syy
  }
}
