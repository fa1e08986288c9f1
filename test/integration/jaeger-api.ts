/** What the tests ask of a Jaeger: its query API, as its own UI uses it. */
import { setTimeout as delay } from 'node:timers/promises'

export interface JaegerSpan {
  spanID: string
  operationName: string
  /** Microseconds. */
  duration: number
  references: { refType: string; traceID: string; spanID: string }[]
  tags: { key: string; value: string | number | boolean }[]
  processID: string
}

export interface JaegerTrace {
  traceID: string
  spans: JaegerSpan[]
  processes: Record<string, { serviceName: string }>
}

/** Longer than the 5 s for which the service collects spans before it sends them. */
const ARRIVAL_TIMEOUT_MS = 30_000

/** @returns `data` of the answer; undefined where Jaeger knows of no such thing */
export async function queryJaeger<Data>(jaegerUrl: string, path: string): Promise<Data | undefined> {
  const response = await fetch(new URL(path, jaegerUrl))
  const body = (await response.json()) as { data: Data }
  if (response.status === 404) return undefined
  if (!response.ok)
    throw new Error(`Jaeger answered ${path} with ${response.status}: ${JSON.stringify(body)}`)
  return body.data
}

/** The trace, once it has `isComplete`: the service and the simulated model send their spans independently. */
export async function untilTrace(
  jaegerUrl: string,
  traceId: string,
  isComplete: (trace: JaegerTrace) => boolean
): Promise<JaegerTrace> {
  const deadline = Date.now() + ARRIVAL_TIMEOUT_MS
  while (true) {
    const [trace] = (await queryJaeger<JaegerTrace[]>(jaegerUrl, `/api/traces/${traceId}`)) ?? []
    if (trace && isComplete(trace)) return trace
    if (Date.now() > deadline)
      throw new Error(`not in Jaeger after 30 s, or in part: ${JSON.stringify(trace)}`)
    await delay(200)
  }
}

export function serviceOf(trace: JaegerTrace, span: JaegerSpan): string | undefined {
  return trace.processes[span.processID]?.serviceName
}

/** Each span as `service: name > name > …` from the root down; a span whose parent is missing starts its own path. */
export function pathsOf(trace: JaegerTrace): string[] {
  const byId = new Map(trace.spans.map((span) => [span.spanID, span]))
  function pathOf(span: JaegerSpan): string {
    const parent = byId.get(span.references.find(({ refType }) => refType === 'CHILD_OF')?.spanID ?? '')
    return parent ? `${pathOf(parent)} > ${span.operationName}` : span.operationName
  }
  return trace.spans.map((span) => `${serviceOf(trace, span)}: ${pathOf(span)}`)
}

export function tagsOf(trace: JaegerTrace, operationName: string): Record<string, unknown> {
  const span = trace.spans.find((each) => each.operationName === operationName)
  return Object.fromEntries(span?.tags.map(({ key, value }) => [key, value]) ?? [])
}
