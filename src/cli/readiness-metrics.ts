/** Readiness for the next module, business metrics: Prometheus, feedback and costs. */
import {
  type Check,
  ignoreNotFound,
  passIf,
  poll,
  request,
  type Subject,
  sendQuery
} from './readiness-service.ts'

/** Counts the answers; each adds one. */
const ANSWERS_METRIC = 'rag_queries_total'

/** What GET /costs answers, as far as it is looked at here. */
interface Costs {
  queries: number
  cost_usd: number | null
  cost_usd_per_query: number | null
  by_plan: { plan: string }[]
}

export const METRICS_CHECKS: Check[] = [
  {
    name: 'cost data',
    mend: 'name the model and its prices in MODEL_PRICES',
    async run({ answer, get }) {
      const { estimated_monthly_cost_usd } = await get<{ estimated_monthly_cost_usd: number }>('/apm/metrics')
      const { queries, cost_usd_per_query, by_plan } = await get<Costs>('/costs')
      const isKnown = answer.usage.cost_usd !== null && cost_usd_per_query !== null
      const detail =
        `${cost_usd_per_query?.toFixed(4) ?? 'unknown'} USD a query on the mean of ${queries}, ` +
        `by plan (${by_plan.map(({ plan }) => plan).join(', ')}); telemetry ${estimated_monthly_cost_usd} USD a month`
      return passIf(isKnown, detail, this.mend)
    }
  },
  {
    name: 'Prometheus metrics move',
    mend: `look for ${ANSWERS_METRIC} in GET /metrics`,
    async run({ url }) {
      const before = await readAnswersMetric(url)
      await sendQuery(url)
      const after = await readAnswersMetric(url)
      return passIf(
        after > before,
        `${ANSWERS_METRIC} went from ${before} to ${after} with a query`,
        this.mend
      )
    }
  },
  {
    name: 'feedback can be recorded',
    mend: 'look at POST /feedback, and pass --token with the ADMIN_TOKEN of the service',
    async run(subject) {
      const { trace_id } = subject.answer
      await request(new URL('/feedback', subject.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ trace_id, rating: 'up', comment: 'sent by npm run readiness' })
      })
      const rating = await poll(() => readRating(subject, trace_id))
      return passIf(rating === 'up', `the vote stands at trace ${trace_id}`, this.mend)
    }
  }
]

async function readAnswersMetric(url: string): Promise<number> {
  const text = await (await request(new URL('/metrics', url))).text()
  const samples = text.split('\n').filter((line) => line.startsWith(`${ANSWERS_METRIC}{`))
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

async function readRating({ get }: Subject, traceId: string): Promise<string | undefined> {
  const trace = await get<{ feedback: { rating: string } | null }>(`/traces/${traceId}`).catch(ignoreNotFound)
  return trace?.feedback?.rating
}
