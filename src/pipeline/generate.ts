import type { Span } from '@opentelemetry/api'
import type { FaultSwitches } from '../faults.ts'
import type { ModelClient } from '../model/client.ts'
import { buildPrompt } from './prompt.ts'
import { messageAttribute, repeatAttributes, usageAttributes } from './span-facts.ts'
import { costUsd, type PriceTable } from './tokens.ts'
import type { Chunk, Usage } from './types.ts'

export interface GenerateDeps {
  model: ModelClient
  prices: PriceTable
  faults: FaultSwitches
  /** Whether prompt and answer may stand in the span. */
  captureContent: boolean
  signal?: AbortSignal | undefined
}

export interface Generation {
  text: string
  /** The chunks that the prompt held. */
  chunks: readonly Chunk[]
  /** Characters of the prompt's excerpts. */
  contextLength: number
  usage: Usage
}

/** Builds the prompt from the best candidates, asks the model, and writes model, tokens and cost on the span. */
export async function generate(
  span: Span,
  query: string,
  candidates: readonly Chunk[],
  { model, prices, faults, captureContent, signal }: GenerateDeps
): Promise<Generation> {
  const prompt = buildPrompt(query, candidates, faults)
  span.setAttributes({
    'rag.candidates': candidates.length,
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': model.model,
    'llm.model': model.model,
    ...(captureContent && { 'gen_ai.input.messages': messageAttribute('user', prompt.text) })
  })
  const completion = await model.complete(prompt.text, signal)
  const usage: Usage = {
    model: model.model,
    prompt_tokens: completion.promptTokens,
    repeated_prompt_tokens: completion.repeatedPromptTokens,
    completion_tokens: completion.completionTokens,
    cost_usd: costUsd(prices, model.model, completion.promptTokens, completion.completionTokens)
  }
  span.setAttributes({
    ...usageAttributes(usage),
    ...repeatAttributes(usage, costUsd(prices, model.model, completion.repeatedPromptTokens, 0)),
    'gen_ai.response.model': completion.model,
    ...(captureContent && { 'gen_ai.output.messages': messageAttribute('assistant', completion.text) })
  })
  return { text: completion.text, chunks: prompt.chunks, contextLength: prompt.contextLength, usage }
}
