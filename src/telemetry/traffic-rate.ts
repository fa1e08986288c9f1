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
 * @returns to be called for each traced request, before it is decided whether it is sampled
 */
export function createTrafficRate(
  limits: TrafficLimits,
  requests: HourCount,
  sampler: AdjustableSampler,
  onChange: (change: RateChange) => void
): () => void {
  const lowRate = Math.min(limits.highTrafficSamplingRate, limits.samplingRate)
  let isHigh = false

  function isHighNow(requestsLastHour: number): boolean {
    const limit = limits.highTrafficRequestsPerHour
    return requestsLastHour > (isHigh ? RISE_BELOW * limit : limit)
  }

  return function countRequest() {
    const nowMs = Date.now()
    requests.add(nowMs)
    const requestsLastHour = requests.lastHour(nowMs)
    if (isHighNow(requestsLastHour) === isHigh) return
    isHigh = !isHigh
    sampler.rate = isHigh ? lowRate : limits.samplingRate
    onChange({ samplingRate: sampler.rate, requestsLastHour })
  }
}
