import { z } from 'zod'
import { measureRepeatedShare } from '../evidence/repeated-text.ts'
import { spanRecorder } from '../evidence/span-recorder.ts'

export interface ModelClientOptions {
  /** The address before `/chat/completions`, as OpenAI's own clients take it: `https://api.openai.com/v1`. */
  baseUrl: string
  apiKey?: string | undefined
  model: string
  /** How long one answer may take in all. */
  timeoutMs: number
}

export interface Completion {
  text: string
  /** The model that answered: often a dated version of the one asked for. */
  model: string
  promptTokens: number
  /** How many of them were in text that the prompt held already: measured here, by its share of the characters. */
  repeatedPromptTokens: number
  completionTokens: number
}

export interface ModelClient {
  /** The model that is asked. */
  readonly model: string
  /**
   * Sends the prompt as one user message. When `signal` aborts, rejects with its reason.
   * @throws ModelUnavailableError in every other case
   */
  complete(prompt: string, signal?: AbortSignal): Promise<Completion>
}

export type ModelErrorCode = 'MODEL_UNREACHABLE' | 'MODEL_TIMEOUT' | 'MODEL_ERROR' | 'MODEL_BAD_ANSWER'

const STATUS_CODES: Record<ModelErrorCode, number> = {
  MODEL_UNREACHABLE: 503,
  MODEL_TIMEOUT: 504,
  MODEL_ERROR: 502,
  MODEL_BAD_ANSWER: 502
}

/** The model gave no usable answer. What it said stands in the cause alone: for the log, not for the caller. */
export class ModelUnavailableError extends Error {
  readonly code: ModelErrorCode
  readonly statusCode: number
  constructor(code: ModelErrorCode, message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'ModelUnavailableError'
    this.code = code
    this.statusCode = STATUS_CODES[code]
  }
}

/** How much of an upstream error is kept for the log. */
const MAX_CAUSE_CHARACTERS = 1000

const completionSchema = z.object({
  model: z.string(),
  choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })], z.unknown()),
  usage: z.object({
    prompt_tokens: z.int().nonnegative(),
    completion_tokens: z.int().nonnegative()
  })
})

/** A client of the chat completions protocol, over the global `fetch`. */
export function createModelClient(options: ModelClientOptions): ModelClient {
  async function complete(prompt: string, signal?: AbortSignal): Promise<Completion> {
    spanRecorder.noteCaller()
    const repeatedShare = measureRepeatedShare(prompt)
    // Not AbortSignal.timeout: it would keep each request's context and spans until its time is up, answered or not.
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), options.timeoutMs).unref()
    const signals = signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal
    try {
      const completion = await requestCompletion(options, prompt, signals)
      return { ...completion, repeatedPromptTokens: Math.round(repeatedShare * completion.promptTokens) }
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (error instanceof ModelUnavailableError) throw error
      if (timeout.signal.aborted) {
        throw new ModelUnavailableError('MODEL_TIMEOUT', `no answer within ${options.timeoutMs} ms`, error)
      }
      throw new ModelUnavailableError('MODEL_UNREACHABLE', 'the model could not be reached', error)
    } finally {
      clearTimeout(timer)
    }
  }
  return { model: options.model, complete }
}

/** What the model itself answers. */
type ParsedCompletion = Omit<Completion, 'repeatedPromptTokens'>

async function requestCompletion(
  { baseUrl, apiKey, model }: ModelClientOptions,
  prompt: string,
  signal: AbortSignal
): Promise<ParsedCompletion> {
  const response = await fetchOnLiveConnection(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` })
    },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: prompt }] }),
    signal
  })
  const body = await response.text()
  if (!response.ok) {
    const cause = new Error(withoutKeys(body, apiKey).slice(0, MAX_CAUSE_CHARACTERS))
    throw new ModelUnavailableError('MODEL_ERROR', `the model answered with status ${response.status}`, cause)
  }
  return parseCompletion(body)
}

/** Providers quote the key that they refuse. */
function withoutKeys(text: string, apiKey = ''): string {
  const known = apiKey === '' ? text : text.replaceAll(apiKey, '[REDACTED]')
  return known.replace(/\bsk-[\w*-]+/g, '[REDACTED]')
}

/**
 * A server closes connections that it finds idle, and a caller whose event loop was busy learns of it only when it
 * sends on one: then nothing was answered yet, and a second try gets a connection of its own.
 */
async function fetchOnLiveConnection(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    if (!wasClosedUnanswered(error)) throw error
    return fetch(url, init)
  }
}

function wasClosedUnanswered(error: unknown): boolean {
  const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET'
}

function parseCompletion(body: string): ParsedCompletion {
  try {
    const { model, choices, usage } = completionSchema.parse(JSON.parse(body))
    return {
      text: choices[0].message.content,
      model,
      promptTokens: usage.prompt_tokens,
      completionTokens: usage.completion_tokens
    }
  } catch (error) {
    throw new ModelUnavailableError('MODEL_BAD_ANSWER', 'the model answered in an unknown form', error)
  }
}
