/** Lowers the sampling rate while there is much traffic. */
import type { HourCount } from './hour-count.ts'
import type { AdjustableSampler } from './sampler.ts'

/** The rate rises again below this share of the limit: at the limit itself it would change with every minute. */
const RISE_BELOW = 0.8

export interface TrafficLimits {
  samplingRate: number
  highTrafficRequestsPerHour: number
  highTrafficSamplingRate: number
}

export interface RateChange {
  samplingRate: number
  requestsLastHour: number
}

/**
 * @param onChange is told of each change
 * @returns `countRequest`, to be called for each traced request before it is decided whether it is sampled, and
 *   `adjustRate`, to be called now and then: without requests an hour ends as well
 */
export function createTrafficRate(
  limits: TrafficLimits,
  requests: HourCount,
  sampler: AdjustableSampler,
  onChange: (change: RateChange) => void
): { countRequest(): void; adjustRate(): void } {
  const lowRate = Math.min(limits.highTrafficSamplingRate, limits.samplingRate)
  let isHigh = false

  function isHighNow(requestsLastHour: number): boolean {
    const limit = limits.highTrafficRequestsPerHour
    return requestsLastHour > (isHigh ? RISE_BELOW * limit : limit)
  }

  function adjustRate(): void {
    const requestsLastHour = requests.lastHour(Date.now())
    if (isHighNow(requestsLastHour) === isHigh) return
    isHigh = !isHigh
    sampler.rate = isHigh ? lowRate : limits.samplingRate
    onChange({ samplingRate: sampler.rate, requestsLastHour })
  }

  function countRequest(): void {
    requests.add(Date.now())
    adjustRate()
  }

  return { countRequest, adjustRate }
}
