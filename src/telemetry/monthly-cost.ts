/** What Datadog would bill, at the prices that the course calculates with. */

/** USD a month: for a host, for a million spans, for a host that is profiled. */
const HOST_USD = 15
const MILLION_SPANS_USD = 5
const PROFILED_HOST_USD = 31
const WARN_FROM_USD = [200, 100]

/** 365 days / 12. */
const HOURS_PER_MONTH = 730

export interface MonthlyCost {
  totalUsd: number
  hostsUsd: number
  spansUsd: number
  profiledHostsUsd: number
  spansPerMonth: number
  warnings: string[]
}

/** @param spansLastHour spans sent to Datadog, of which a month is taken to hold 730 times as many */
export function estimateMonthlyCost(use: {
  spansLastHour: number
  hasAgent: boolean
  isProfiling: boolean
}): MonthlyCost {
  const spansPerMonth = use.spansLastHour * HOURS_PER_MONTH
  const hostsUsd = use.hasAgent ? HOST_USD : 0
  const profiledHostsUsd = use.isProfiling ? PROFILED_HOST_USD : 0
  const spansUsd = toCents((spansPerMonth / 1e6) * MILLION_SPANS_USD)
  const totalUsd = toCents(hostsUsd + profiledHostsUsd + spansUsd)
  const passed = WARN_FROM_USD.find((limit) => totalUsd >= limit)
  return {
    totalUsd,
    hostsUsd,
    spansUsd,
    profiledHostsUsd,
    spansPerMonth,
    warnings:
      passed === undefined
        ? []
        : [
            `${totalUsd} USD a month, more than ${passed}: lower SAMPLING_RATE, at which ${spansUsd} USD are for spans`
          ]
  }
}

function toCents(usd: number): number {
  return Math.round(usd * 100) / 100
}
