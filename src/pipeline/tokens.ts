import type { ModelPrice } from '../setting-values.ts'

export { countTokens } from 'gpt-tokenizer/encoding/cl100k_base'

/**
 * Options for `countTokens` (cl100k_base, the encoding of gpt-4 and gpt-3.5-turbo) under which text that looks like a
 * special token counts as text. Without them a question that contains `<|endoftext|>` throws.
 */
export const PLAIN_TEXT = { disallowedSpecial: new Set<string>() }

/** Model names with their prices. */
export type PriceTable = Readonly<Record<string, ModelPrice>>

/** What a model call cost in USD; null when the price table does not know the model. */
export function costUsd(
  prices: PriceTable,
  model: string,
  promptTokens: number,
  completionTokens: number
): number | null {
  const price = Object.hasOwn(prices, model) ? prices[model] : undefined
  if (!price) return null
  return (promptTokens * price.promptUsd + completionTokens * price.completionUsd) / 1e6
}
