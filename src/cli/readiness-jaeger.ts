/** Readiness: what Jaeger has to show, asked over its own HTTP API. */
import {
  type Check,
  judgeModelSpan,
  passIf,
  poll,
  readJson,
  request,
  type Subject,
  skipped,
  type TraceSpan
} from './readiness-service.ts'

const MIN_TRACES = 10
const MAX_TRACES = 100
const HOUR_MS = 3_600_000

interface JaegerTrace {
  spans: {
    operationName: string
    references: { refType: string }[]
    tags: { key: string; value: unknown }[]
  }[]
}

const notSent = skipped('OTEL_EXPORTER_OTLP_ENDPOINT is not set: no span is sent to Jaeger')
const startJaeger = 'start Jaeger, and set JAEGER_QUERY_URL to its address'

/** @returns undefined where Jaeger has no such trace */
async function findTraces(subject: Subject, path: string): Promise<JaegerTrace[]> {
  const url = new URL(path, subject.config.jaegerQueryUrl)
  const { data } = await readJson<{ data: JaegerTrace[] | null }>(url)
  return data ?? []
}

function hasParentAndChild({ spans }: JaegerTrace): boolean {
  const isChild = (span: JaegerTrace['spans'][number]) =>
    span.references.some(({ refType }) => refType === 'CHILD_OF')
  return spans.some(isChild) && spans.some((span) => !isChild(span))
}

function toSpans({ spans }: JaegerTrace): TraceSpan[] {
  return spans.map(({ operationName, tags }) => ({
    name: operationName,
    attributes: Object.fromEntries(tags.map(({ key, value }) => [key, value]))
  }))
}

export const JAEGER_CHECKS: Check[] = [
  {
    name: "Jaeger's page answers",
    mend: startJaeger,
    async run({ apm, config }) {
      if (apm.otlp_endpoint === null) return notSent
      await request(new URL(config.jaegerQueryUrl))
      return { status: 'pass', detail: config.jaegerQueryUrl }
    }
  },
  {
    name: `Jaeger holds ${MIN_TRACES} traces of the last hour, parents with children`,
    mend: startJaeger,
    async run(subject) {
      const { apm } = subject
      if (apm.otlp_endpoint === null) return notSent
      const nowMs = Date.now()
      const search = new URLSearchParams({
        service: apm.service,
        operation: 'POST /query',
        start: String((nowMs - HOUR_MS) * 1000),
        end: String(nowMs * 1000),
        limit: String(MAX_TRACES)
      })
      const whole = (await findTraces(subject, `/api/traces?${search}`)).filter(hasParentAndChild)
      return passIf(
        whole.length >= MIN_TRACES,
        whole.length === MAX_TRACES ? `${MAX_TRACES} or more` : String(whole.length),
        'send more: npm run load'
      )
    }
  },
  {
    name: 'attributes of the model span in Jaeger',
    mend: startJaeger,
    async run(subject) {
      if (subject.apm.otlp_endpoint === null) return notSent
      const trace = await poll(async function findOwnTrace() {
        const [found] = await findTraces(subject, `/api/traces/${subject.answer.trace_id}`).catch(
          ignoreNotFound
        )
        return found && toSpans(found).some(({ name }) => name === 'openai.generate') ? found : undefined
      })
      return judgeModelSpan(trace && toSpans(trace))
    }
  }
]

/** Spans arrive up to 5 s after they ended. */
function ignoreNotFound(error: Error): JaegerTrace[] {
  if (!error.message.endsWith('answered 404')) throw error
  return []
}
