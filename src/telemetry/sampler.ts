import type { Attributes, Context, Link, SpanKind } from '@opentelemetry/api'
import {
  createAlwaysRecordSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler
} from '@opentelemetry/sdk-trace'

/** Set on a server span at its start when the caller sent `x-force-sample: 1`. */
export const FORCED_ATTRIBUTE = 'sampling.forced'

/**
 * Follows the parent's decision, else keeps the given share of trace ids. The ids kept at a lower rate are a
 * subset of those kept at a higher one, so a change of rate tears no trace.
 *
 * While `window` is open, spans that are not sampled are recorded all the same (flags and export unchanged):
 * at 10 % most windows of a few requests would leave nothing to look at.
 */
export class AdjustableSampler implements Sampler {
  #rate: number
  #rateShare = 1
  readonly #window: { readonly isOpen: boolean }
  #decide: Sampler
  #record: Sampler

  constructor(rate: number, window: { readonly isOpen: boolean }) {
    this.#rate = rate
    this.#window = window
    this.#decide = byParentOrRatio(rate)
    this.#record = createAlwaysRecordSampler(this.#decide)
  }

  /** The share of new traces that is sampled, 0 to 1; takes effect with the next trace. */
  get rate(): number {
    return this.#rate * this.#rateShare
  }

  set rate(rate: number) {
    this.#rate = rate
    this.#apply()
  }

  /** The part of the rate that applies; below 1 while telemetry costs too much. */
  set rateShare(share: number) {
    this.#rateShare = share
    this.#apply()
  }

  #apply(): void {
    this.#decide = byParentOrRatio(this.rate)
    this.#record = createAlwaysRecordSampler(this.#decide)
  }

  shouldSample(
    context: Context,
    traceId: string,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    links: Link[]
  ): SamplingResult {
    if (attributes[FORCED_ATTRIBUTE] === true) return { decision: SamplingDecision.RECORD_AND_SAMPLED }
    const sampler = this.#window.isOpen ? this.#record : this.#decide
    return sampler.shouldSample(context, traceId, name, kind, attributes, links)
  }

  toString(): string {
    return `AdjustableSampler{${this.#decide.toString()}}`
  }
}

function byParentOrRatio(rate: number): Sampler {
  return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(rate) })
}
