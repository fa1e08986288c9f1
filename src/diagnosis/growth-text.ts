/** How a time grows with a size, for a finding and in words. */
import { type Growth, MIN_ODD_RATIO } from '../evidence/complexity.ts'
import { type Finding, round } from './finding.ts'

/** An exponent this close to 1 whose interval holds 1 is called linear. */
const LINEAR_WITHIN = 0.2

export function toComplexity(growth: Growth): NonNullable<Finding['complexity']> {
  return {
    attribute: growth.attribute,
    exponent: round(growth.exponent, 2),
    low: round(growth.low, 2),
    high: round(growth.high, 2),
    sizes: growth.points.map(({ size, ms }) => ({ size, ms: round(ms) }))
  }
}

/** @returns e.g. `grows like items^2.0 (95 %: 1.9 to 2.1): 400 take 26 ms, 1,600 take 420 ms` */
export function describeGrowth(growth: Growth): string {
  const { attribute, exponent, low, high } = growth
  const interval = `95 %: ${low.toFixed(1)} to ${high.toFixed(1)}`
  return `grows like ${attribute}^${exponent.toFixed(1)} (${interval}): ${describeEnds(growth)}`
}

/**
 * Whether so long is normal for such a size.
 * @returns e.g. `grows linearly with tokens: 1,241 take 1.9 s, 1,850 take 2.8 s; the slowest, 3.5 s for 1,850, is
 *   1.3 times what this size costs`
 */
export function describeWaitGrowth(growth: Growth): string {
  const { attribute, exponent, low, high, slowest } = growth
  const isLinear = low <= 1 && high >= 1 && Math.abs(exponent - 1) <= LINEAR_WITHIN
  const law = isLinear ? `linearly with ${attribute}` : `like ${attribute}^${exponent.toFixed(1)}`
  const times = slowest.ratio >= MIN_ODD_RATIO ? `${slowest.ratio.toFixed(1)} times ` : ''
  return (
    `grows ${law}: ${describeEnds(growth)}; the slowest, ${formatMs(slowest.ms)} for ` +
    `${formatSize(slowest.size)}, is ${times}what this size costs`
  )
}

function describeEnds({ points }: Growth): string {
  return [points[0], points.at(-1)]
    .filter((point) => point !== undefined)
    .map(({ size, ms }) => `${formatSize(size)} take ${formatMs(ms)}`)
    .join(', ')
}

function formatSize(size: number): string {
  return size.toLocaleString('en')
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${round(ms)} ms` : `${round(ms / 1000)} s`
}
