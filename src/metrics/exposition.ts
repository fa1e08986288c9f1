/** The text that Prometheus reads, in either of its two formats. */
import { type Metric, type OpenMetricsContentType, Registry } from 'prom-client'

const OPEN_METRICS = 'application/openmetrics-text'

export interface Exposition {
  contentType: string
  text: string
}

/** What the registry asks of a metric when it writes it (prom-client 15.1.3). */
interface WrittenMetric {
  name: string
  type: string
  get(): Promise<{ name: string }>
}

export type MetricRegistry = Registry<OpenMetricsContentType>

/** One that takes metrics with exemplars. */
export function createRegistry(): MetricRegistry {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return registry
}

/** @param accept the request's header: OpenMetrics, which has exemplars, is for who asks for it */
export async function expose(
  registries: { getMetricsAsArray(): unknown[] }[],
  accept: string | undefined
): Promise<Exposition> {
  const isOpen = accept?.includes(OPEN_METRICS) ?? false
  const merged = isOpen ? createRegistry() : new Registry()
  for (const metric of registries.flatMap((each) => each.getMetricsAsArray()) as WrittenMetric[]) {
    const written = isOpen && metric.type === 'counter' ? copyCounter(metric) : metric
    merged.registerMetric(written as unknown as Metric)
  }
  return { contentType: merged.contentType, text: await merged.metrics() }
}

/** prom-client takes `_total` off the name of the counter itself, which would lack it from then on. */
function copyCounter(counter: WrittenMetric): WrittenMetric {
  const name = counter.name.replace(/_total$/, '')
  return { name, type: counter.type, get: async () => ({ ...(await counter.get()), name }) }
}
