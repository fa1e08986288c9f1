import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace'

/**
 * Marks each recorded span as one that profiles can be asked for: Grafana shows a span's flame graph where it has
 * this attribute, and looks the value up among the `span_id` labels of the profiles.
 * Source: Pyroscope's span profiles, https://grafana.com/docs/pyroscope/latest/configure-client/trace-span-profiles/
 */
export const profileLink: SpanProcessor = {
  onStart(span: Span): void {
    span.setAttribute('pyroscope.profile.id', span.spanContext().spanId)
  },
  onEnd(): void {},
  async forceFlush(): Promise<void> {},
  async shutdown(): Promise<void> {}
}
