import type { FaultSwitches } from '../faults.ts'
import { countTokens, PLAIN_TEXT } from './tokens.ts'
import type { Chunk } from './types.ts'

/** What a prompt may cost: 1,850 cl100k_base tokens, instructions and question included. */
export const PROMPT_BUDGET_TOKENS = 1850

const INSTRUCTIONS =
  'Answer the question from the numbered excerpts of company policies below. ' +
  'Quote the sentences that answer it, name the document of each, and say so when none does.\n\n'

export interface Prompt {
  text: string
  /** What the prompt holds, in its order. */
  chunks: readonly Chunk[]
  /** Characters of the excerpts, without instructions and question. */
  contextLength: number
}

/** The prompt with as many of the best candidates as the budget allows: always the first ones, in their order. */
export function buildPrompt(query: string, candidates: readonly Chunk[], faults: FaultSwitches): Prompt {
  const prompt = faults['slow-prompt-serialization']
    ? serializePromptByTrial(query, candidates)
    : serializePromptByCount(query, candidates)
  // fault: redundant-prompt-tokens
  if (faults['redundant-prompt-tokens']) return prompt
  return serializePrompt(query, dropRepeatedSentences(prompt.chunks))
}

export function serializePromptByTrial(query: string, candidates: readonly Chunk[]): Prompt {
  let prompt = serializePrompt(query, candidates)
  // fault: slow-prompt-serialization
  while (prompt.chunks.length > 0 && countTokens(prompt.text, PLAIN_TEXT) > PROMPT_BUDGET_TOKENS) {
    prompt = serializePrompt(query, prompt.chunks.slice(0, -1))
  }
  return prompt
}

export function serializePromptByCount(query: string, candidates: readonly Chunk[]): Prompt {
  let tokens = countTokens(serializePrompt(query, []).text, PLAIN_TEXT)
  const fitting: Chunk[] = []
  for (const [index, chunk] of candidates.entries()) {
    tokens += countTokens(serializeChunk(chunk, index), PLAIN_TEXT)
    if (tokens > PROMPT_BUDGET_TOKENS) break
    fitting.push(chunk)
  }
  return serializePrompt(query, fitting)
}

function serializePrompt(query: string, chunks: readonly Chunk[]): Prompt {
  const context = chunks.map(serializeChunk).join('')
  return { text: `${INSTRUCTIONS}${context}Question: ${query}`, chunks, contextLength: context.length }
}

/**
 * Starts with a visible character and ends with a line break, where cl100k_base always splits: so the tokens of the
 * parts add up to the tokens of the whole, and counting each once gives what counting the whole prompt gives.
 */
function serializeChunk(chunk: Chunk, index: number): string {
  return `[${index + 1}] ${chunk.title}\n${chunk.text.trim()}\n\n`
}

/**
 * Cuts from each chunk the sentences that an earlier chunk holds, those too that the splitter left a part of at a
 * chunk's edge. A chunk with nothing left goes.
 */
export function dropRepeatedSentences(chunks: readonly Chunk[]): Chunk[] {
  const seen: string[] = []
  const kept: Chunk[] = []
  for (const chunk of chunks) {
    const fresh = splitSentences(chunk.text).filter(
      (sentence) => !seen.some((earlier) => earlier.startsWith(sentence) || earlier.endsWith(sentence))
    )
    seen.push(...fresh)
    if (fresh.length > 0) kept.push({ ...chunk, text: fresh.join(' ') })
  }
  return kept
}

function splitSentences(text: string): string[] {
  return text.trim().split(/(?<=[.!?])\s+/)
}
