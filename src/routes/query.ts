import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Admission } from '../admission.ts'
import type { Config } from '../config.ts'
import type { CostLedger } from '../costs/cost-ledger.ts'
import type { Database } from '../database/database.ts'
import type { FaultRegistry } from '../faults.ts'
import type { FeedbackBook } from '../feedback/feedback-book.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { ModelClient } from '../model/client.ts'
import { answerQuery } from '../pipeline/answer-query.ts'
import { callerAttributes } from '../pipeline/span-facts.ts'
import { getCurrentTrace, getServerSpan } from '../telemetry/server-span.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { createDeadline } from './deadline.ts'

const MAX_QUERY_CHARACTERS = 1000
const MAX_ID_CHARACTERS = 128

const identifier = z
  .string({ error: 'must be a string' })
  .min(1, 'must not be empty')
  .max(MAX_ID_CHARACTERS, `must have at most ${MAX_ID_CHARACTERS} characters`)

const querySchema = z
  .string({ error: ({ input }) => (input === undefined ? 'is missing' : 'must be a string') })
  .min(1, { error: 'must not be empty', abort: true })
  .max(MAX_QUERY_CHARACTERS, `must have at most ${MAX_QUERY_CHARACTERS} characters`)
  .regex(/\S/, 'must not be blank')
  // PostgreSQL's text cannot hold it.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it stands in the document, where \0 is not understood by all
  .regex(/^[^\u0000]*$/, 'must not contain the character U+0000')

const bodySchema = z.object(
  {
    query: querySchema.describe('The question'),
    user_id: identifier.optional().describe('Who asks; else the header x-user-id, else "anonymous"')
  },
  { error: 'must be a JSON object such as {"query": "How long are audit logs kept?"}' }
)

const headersSchema = z.object({
  'x-user-id': identifier.optional(),
  'x-tenant-id': identifier.optional()
})

const answerSchema = z.object({
  query: z.string(),
  response: z.string(),
  context_length: z.int().describe('Characters of the excerpts that the model was given'),
  num_results: z.int().describe('Documents found'),
  apm_enabled: z.boolean(),
  trace_id: z.string(),
  sampled: z.boolean(),
  stages: z.array(z.object({ name: z.string(), duration_ms: z.number() })),
  sources: z.array(z.object({ id: z.int(), title: z.string(), score: z.number(), excerpt: z.string() })),
  usage: z.object({
    model: z.string(),
    prompt_tokens: z.int(),
    repeated_prompt_tokens: z.int().describe('of text that the prompt held already'),
    completion_tokens: z.int(),
    cost_usd: z.number().nullable().describe('null when MODEL_PRICES does not have the model')
  })
})

export interface QueryDeps {
  config: Config
  admission: Admission
  database: Database
  model: ModelClient
  faults: FaultRegistry
  telemetry: Telemetry
  feedback: FeedbackBook
  costs: CostLedger
  metrics: Metrics
}

export const queryRoutes: FastifyPluginAsyncZod<QueryDeps> = async (
  app,
  { config, admission, database, model, faults, telemetry, feedback, costs, metrics }
) => {
  app.post(
    '/query',
    {
      schema: {
        summary: 'Answer a question from the documents',
        body: bodySchema,
        headers: headersSchema,
        response: { 200: answerSchema }
      }
    },
    async function answerQuestion(request, reply) {
      const { query, user_id } = request.body
      const caller = {
        userId: user_id ?? request.headers['x-user-id'] ?? 'anonymous',
        tenantId: request.headers['x-tenant-id']
      }
      getServerSpan()?.setAttributes(callerAttributes(query, caller))
      const signal = createDeadline(reply, config.queryTimeoutMs)
      const switches = faults.snapshot()
      const answer = await admission.run(signal, () =>
        answerQuery(query, caller, {
          database,
          model,
          prices: config.modelPrices,
          faults: switches,
          captureContent: config.captureContent,
          latencyScale: config.simulatedLatencyScale,
          signal
        })
      )
      // It may be too late all the same: nothing waits after the last stage.
      signal.throwIfAborted()
      const trace = getCurrentTrace()
      const traceId = trace?.traceId ?? request.id
      costs.add(answer.usage, caller.tenantId)
      metrics.observeStages(answer.stages)
      feedback.noteAnswer(traceId, { query, span: getServerSpan()?.spanContext() })
      return {
        query,
        apm_enabled: telemetry.datadog?.isProfiling() ?? false,
        trace_id: traceId,
        sampled: trace?.isSampled ?? false,
        ...answer
      }
    }
  )
}
