/** What the answers of this process cost, by plan and model. */
import { costUsd, type PriceTable } from '../pipeline/tokens.ts'
import type { Usage } from '../pipeline/types.ts'

/** Of a caller without a tenant, or with one that TENANT_PLANS does not name. */
const DEFAULT_PLAN = 'free'

/** Sums over the answers of one plan by one model. */
export interface CostRow {
  plan: string
  model: string
  queries: number
  promptTokens: number
  repeatedPromptTokens: number
  completionTokens: number
  /** Null when the price table does not know the model. */
  costUsd: number | null
}

/** Bounded: as many rows as the settings have plans, times models. */
export class CostLedger {
  readonly #prices: PriceTable
  readonly #tenantPlans: Readonly<Record<string, string>>
  readonly #rows = new Map<string, CostRow>()
  readonly since = new Date()

  constructor(prices: PriceTable, tenantPlans: Readonly<Record<string, string>>) {
    this.#prices = prices
    this.#tenantPlans = tenantPlans
  }

  add(usage: Usage, tenantId: string | undefined): void {
    const row = this.#rowOf(this.#planOf(tenantId), usage.model)
    row.queries += 1
    row.promptTokens += usage.prompt_tokens
    row.repeatedPromptTokens += usage.repeated_prompt_tokens
    row.completionTokens += usage.completion_tokens
    row.costUsd = this.#price(row.model, row)
  }

  #planOf(tenantId: string | undefined): string {
    const plans = this.#tenantPlans
    return tenantId !== undefined && Object.hasOwn(plans, tenantId)
      ? (plans[tenantId] ?? DEFAULT_PLAN)
      : DEFAULT_PLAN
  }

  #rowOf(plan: string, model: string): CostRow {
    const key = `${plan}\n${model}`
    const known = this.#rows.get(key)
    if (known) return known
    const row = {
      plan,
      model,
      queries: 0,
      promptTokens: 0,
      repeatedPromptTokens: 0,
      completionTokens: 0,
      costUsd: null
    }
    this.#rows.set(key, row)
    return row
  }

  #price(model: string, { promptTokens, completionTokens }: CostRow): number | null {
    return costUsd(this.#prices, model, promptTokens, completionTokens)
  }

  /** The rows, in the order in which they came up. */
  list(): CostRow[] {
    return [...this.#rows.values()]
  }

  /** What the same tokens would have cost with each model of the price table in USD, the cheapest first. */
  priceWithEachModel(): { model: string; costUsd: number }[] {
    return Object.keys(this.#prices)
      .map((model) => ({ model, costUsd: sum(this.list().map((row) => this.#price(model, row) ?? 0)) }))
      .sort((a, b) => a.costUsd - b.costUsd)
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
