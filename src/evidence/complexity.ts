/**
 * Empirical complexity: how the time a span computes, or waits, grows with the size it worked on, as the slope of a
 * straight line through (log size, log ms).
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
  /** One point a span, smallest size first; without the few odd ones that the line leaves out. */
  points: Point[]
  /** The span furthest above what its size costs, or else the longest; `ratio` is to what its size costs. */
  slowest: Point & { ratio: number }
}

export interface Point {
  size: number
  ms: number
}

/** Fewer distinct sizes, or a narrower spread of them, can't carry an exponent. */
const MIN_DISTINCT_SIZES = 4
const MIN_SIZE_RATIO = 3
/** Waiting takes long enough to be measured exactly, and carries an exponent over less. */
const MIN_WAITED_SIZE_RATIO = 1.3
/** So many of the points may be odd ones: a retry, a pause. */
const MAX_ODD_SHARE = 0.1
/** From here on a span takes longer than its size explains. */
export const MIN_ODD_RATIO = 1.5
/** Wider intervals don't separate linear from quadratic: better to say nothing. */
const MAX_HALF_INTERVAL = 0.4
const MIN_R_SQUARED = 0.9
/** Below this a timing is the clock's noise. */
const MIN_POINT_MS = 0.05

/** Two-sided 95 % quantiles of Student's t for 1..10 degrees of freedom; from there on close to the normal's. */
export const T_95 = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23]

/**
 * @param spans spans of one name
 * @returns how their own CPU grows with the attribute that explains it best; undefined where the data does not tell
 */
export function fitCpuGrowth(spans: readonly RecordedSpan[], tree: SpanTree): Growth | undefined {
  return fitGrowth(spans, (span) => ownCpuMs(span, tree), MIN_SIZE_RATIO)
}

/**
 * @param spans spans of one name
 * @param waitedMs how long one of them waited
 * @returns as `fitCpuGrowth`, for the waiting
 */
export function fitWaitGrowth(
  spans: readonly RecordedSpan[],
  waitedMs: (span: RecordedSpan) => number
): Growth | undefined {
  return fitGrowth(spans, waitedMs, MIN_WAITED_SIZE_RATIO)
}

function fitGrowth(
  spans: readonly RecordedSpan[],
  msOf: (span: RecordedSpan) => number,
  minSizeRatio: number
): Growth | undefined {
  const timed = spans.filter(({ ended }) => ended).map((span) => ({ span, ms: msOf(span) }))
  const fits = sizeAttributes(spans).flatMap((attribute) => {
    const points = timed.flatMap(({ span, ms }) => toPoint(span.attributes[attribute], ms))
    return fitPoints(attribute, points, minSizeRatio) ?? []
  })
  return fits.sort(byFit)[0]?.growth
}

/** Where two names tell the same, the shorter one. */
function byFit(a: Fit, b: Fit): number {
  return b.rSquared - a.rSquared || a.growth.attribute.length - b.growth.attribute.length
}

/** A size counts something; a price or a score does not. */
function sizeAttributes(spans: readonly RecordedSpan[]): string[] {
  const names = new Set<string>()
  for (const span of spans) {
    for (const [name, value] of Object.entries(span.attributes)) {
      if (Number.isInteger(value) && Number(value) > 0) names.add(name)
    }
  }
  return [...names]
}

function toPoint(size: unknown, ms: number): Point[] {
  return typeof size === 'number' && size > 0 && ms >= MIN_POINT_MS ? [{ size, ms }] : []
}

/** The thread's CPU time during the span and none of its children: its own where it keeps the thread to itself. */
function ownCpuMs(span: RecordedSpan, tree: SpanTree): number {
  const children = tree.childrenOf(span)
  return span.threadCpuMs - children.reduce((sum, child) => sum + child.threadCpuMs, 0)
}

interface Fit {
  growth: Growth
  rSquared: number
}

function fitPoints(attribute: string, all: Point[], minSizeRatio: number): Fit | undefined {
  const { points, line } = leaveOutOdd(all)
  const sizes = new Set(points.map(({ size }) => size))
  if (sizes.size < MIN_DISTINCT_SIZES) return undefined
  if (Math.max(...sizes) / Math.min(...sizes) < minSizeRatio) return undefined
  const half = line.slopeError * (T_95[points.length - 3] ?? 2)
  if (line.rSquared < MIN_R_SQUARED || half > MAX_HALF_INTERVAL) return undefined
  const growth: Growth = {
    attribute,
    exponent: line.slope,
    low: line.slope - half,
    high: line.slope + half,
    points: points.toSorted((a, b) => a.size - b.size),
    slowest: findSlowest(all, line)
  }
  return { growth, rSquared: line.rSquared }
}

/** Takes out the point furthest from the line, one after another, as long as that is needed and few. */
function leaveOutOdd(all: Point[]): { points: Point[]; line: FittedLine } {
  let points = all
  let line = fitLogs(points)
  const fewest = all.length - Math.ceil(all.length * MAX_ODD_SHARE)
  while (points.length > fewest && line.rSquared < MIN_R_SQUARED) {
    const distances = points.map((point) => Math.abs(Math.log(ratioTo(line, point))))
    const oddest = distances.indexOf(Math.max(...distances))
    points = points.toSpliced(oddest, 1)
    line = fitLogs(points)
  }
  return { points, line }
}

function findSlowest(points: Point[], line: FittedLine): Growth['slowest'] {
  const compared = points.map((point) => ({ ...point, ratio: ratioTo(line, point) }))
  const longest = compared.toSorted((a, b) => b.ms - a.ms)[0] as Growth['slowest']
  const oddest = compared.toSorted((a, b) => b.ratio - a.ratio)[0] as Growth['slowest']
  return oddest.ratio >= MIN_ODD_RATIO ? oddest : longest
}

/** @returns how many times what its size costs a point took */
function ratioTo({ slope, meanX, meanY }: FittedLine, { size, ms }: Point): number {
  return ms / Math.exp(meanY + slope * (Math.log(size) - meanX))
}

type FittedLine = ReturnType<typeof fitLine>

function fitLogs(points: Point[]) {
  return fitLine(points.map(({ size, ms }) => [Math.log(size), Math.log(ms)]))
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
    meanX,
    meanY,
    slopeError: Math.sqrt(residual / (n - 2) / sxx),
    rSquared: syy === 0 ? 0 : 1 - residual / syy
  }
}
