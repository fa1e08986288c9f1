import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CostLedger } from '../../src/costs/cost-ledger.ts'
import type { Usage } from '../../src/pipeline/types.ts'

const prices = { dear: { promptUsd: 30, completionUsd: 60 }, cheap: { promptUsd: 1, completionUsd: 2 } }

function makeUsage(usage: Partial<Usage> = {}): Usage {
  return {
    model: 'dear',
    prompt_tokens: 1000,
    repeated_prompt_tokens: 400,
    completion_tokens: 100,
    cost_usd: 0.036,
    ...usage
  }
}

test('tokens and cost add up by plan and model; a tenant without a plan is on free', () => {
  const costs = new CostLedger(prices, { acme: 'enterprise' })
  costs.add(makeUsage(), 'acme')
  costs.add(makeUsage(), 'acme')
  for (const tenant of ['unknown', '__proto__', undefined]) costs.add(makeUsage({ model: 'cheap' }), tenant)
  const rows = costs
    .list()
    .map(({ plan, model, queries, promptTokens, costUsd }) => [plan, model, queries, promptTokens, costUsd])
  assert.deepEqual(rows, [
    ['enterprise', 'dear', 2, 2000, 0.072],
    ['free', 'cheap', 3, 3000, 0.0036]
  ])
})

test('the same tokens are priced with every model, the cheapest first', () => {
  const costs = new CostLedger(prices, {})
  costs.add(makeUsage(), undefined)
  assert.deepEqual(costs.priceWithEachModel(), [
    { model: 'cheap', costUsd: 0.0012 },
    { model: 'dear', costUsd: 0.036 }
  ])
})

test('a model without a price costs nobody knows what', () => {
  const costs = new CostLedger(prices, {})
  costs.add(makeUsage({ model: 'toString', cost_usd: null }), undefined)
  assert.equal(costs.list()[0]?.costUsd, null)
})
