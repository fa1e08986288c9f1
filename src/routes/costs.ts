import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type CostLedger, type CostRow, sum } from '../costs/cost-ledger.ts'

const costFields = {
  queries: z.int(),
  prompt_tokens: z.int(),
  repeated_prompt_tokens: z.int().describe('of text that the prompt held already'),
  completion_tokens: z.int(),
  cost_usd: z.number().nullable().describe('null when MODEL_PRICES has none of the models'),
  cost_usd_per_query: z.number().nullable()
}

const costsSchema = z.object({
  since: z.iso.datetime().describe("this process's start"),
  ...costFields,
  by_plan: z.array(z.object({ plan: z.string().describe('by TENANT_PLANS, else free'), ...costFields })),
  by_model: z.array(z.object({ model: z.string(), ...costFields })),
  with_model: z
    .array(z.object({ model: z.string(), cost_usd: z.number(), saved_usd: z.number() }))
    .describe('what the same tokens would have cost with each model of MODEL_PRICES, the cheapest first'),
  cheaper_model: z
    .object({ model: z.string(), cost_usd: z.number(), saved_usd: z.number(), saved_pct: z.number() })
    .nullable()
    .describe('the cheapest of them; null where nothing would have been saved')
})

export const costRoutes: FastifyPluginAsyncZod<{ costs: CostLedger }> = async (app, { costs }) => {
  app.get(
    '/costs',
    {
      schema: {
        summary: 'What the answers cost, by plan and by model, and would have cost with another model',
        response: { 200: costsSchema }
      }
    },
    async function showCosts() {
      return toReport(costs)
    }
  )
}

function toReport(costs: CostLedger): z.infer<typeof costsSchema> {
  const rows = costs.list()
  const total = addUp(rows)
  const paidUsd = total.cost_usd ?? 0
  const withModel = costs.priceWithEachModel().map(({ model, costUsd }) => ({
    model,
    cost_usd: costUsd,
    saved_usd: paidUsd - costUsd
  }))
  const [cheapest] = withModel
  return {
    since: costs.since.toISOString(),
    ...total,
    by_plan: groupBy(rows, 'plan').map(([plan, group]) => ({ plan, ...addUp(group) })),
    by_model: groupBy(rows, 'model').map(([model, group]) => ({ model, ...addUp(group) })),
    with_model: withModel,
    cheaper_model:
      cheapest && cheapest.saved_usd > 0
        ? { ...cheapest, saved_pct: (cheapest.saved_usd / paidUsd) * 100 }
        : null
  }
}

function groupBy(rows: CostRow[], field: 'plan' | 'model'): [name: string, rows: CostRow[]][] {
  return [...Map.groupBy(rows, (row) => row[field])]
}

function addUp(rows: CostRow[]) {
  const queries = sum(rows.map((row) => row.queries))
  const priced = rows.filter((row) => row.costUsd !== null)
  const costUsd = priced.length > 0 || rows.length === 0 ? sum(priced.map((row) => row.costUsd ?? 0)) : null
  return {
    queries,
    prompt_tokens: sum(rows.map((row) => row.promptTokens)),
    repeated_prompt_tokens: sum(rows.map((row) => row.repeatedPromptTokens)),
    completion_tokens: sum(rows.map((row) => row.completionTokens)),
    cost_usd: costUsd,
    cost_usd_per_query: costUsd === null || queries === 0 ? null : costUsd / queries
  }
}
