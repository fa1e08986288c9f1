/** What whoever takes samples and whoever reads them have to agree on. */

/** 99 Hz: off the beat of timers that fire every 10 ms. */
export const SAMPLING_INTERVAL_MICROS = 10_101

/** Label names: Datadog's and Pyroscope's spellings side by side, since each reader looks for its own. */
export const LABEL = {
  spanId: 'span_id',
  traceId: 'trace_id',
  spanName: 'span name',
  timestampMicros: 'end_timestamp_us'
} as const
