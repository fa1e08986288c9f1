/** Metrics that are kept elsewhere, and read when they are asked for. */
import { Counter, Gauge } from 'prom-client'
import type { MetricRegistry } from './exposition.ts'

export interface Reading {
  labels?: Record<string, string>
  value: number
}

interface ReadMetric {
  name: string
  help: string
  labelNames?: readonly string[]
  /** What there is now. */
  read: () => Reading[]
}

export function defineGauge(
  registry: MetricRegistry,
  { name, help, labelNames = [], read }: ReadMetric
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      // Without labels a reset leaves a 0, which would be a measurement.
      if (labelNames.length === 0) this.remove()
      for (const { labels = {}, value } of read()) this.set(labels, value)
    }
  })
}

/** As a gauge, but of what only ever grows; its name ends in `_total`. */
export function defineCounter(
  registry: MetricRegistry,
  { name, help, labelNames = [], read }: ReadMetric
): void {
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels = {}, value } of read()) this.inc(labels, value)
    }
  })
}
