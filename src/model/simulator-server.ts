import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { countTokens, PLAIN_TEXT } from '../pipeline/tokens.ts'
import { ChatError, type ChatMessage, parseChatRequest } from './chat-request.ts'
import { quoteAnswer } from './quote-answer.ts'

/** How long the simulated model waits for each prompt token, at latency scale 1. */
const MS_PER_PROMPT_TOKEN = 1.5

/** gpt-4's. */
const MAX_CONTEXT_TOKENS = 8192

const MAX_BODY_BYTES = 64 * 1024

/** Handles a request of the chat completions protocol: answers by quoting, after a wait by the size of the prompt. */
export async function handleRequest(
  request: IncomingMessage,
  response: ServerResponse,
  latencyScale: number
): Promise<void> {
  const clientGone = new AbortController()
  response.once('close', () => clientGone.abort())
  try {
    send(response, 200, await answer(request, latencyScale, clientGone.signal))
  } catch (error) {
    if (clientGone.signal.aborted || request.errored) return
    if (!(error instanceof ChatError)) throw error
    // What is left of a body that was too large is not read, so the connection can't serve another request.
    if (error.status === 413) response.setHeader('connection', 'close')
    send(response, error.status, error.body)
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function answer(request: IncomingMessage, latencyScale: number, signal: AbortSignal): Promise<object> {
  const { method, url = '' } = request
  switch (url.split('?')[0]) {
    case '/v1/models':
      requireMethod(request, 'GET')
      return listModels()
    case '/v1/chat/completions':
      requireMethod(request, 'POST')
      return await complete(await readBody(request), latencyScale, signal)
    default:
      throw new ChatError(404, `Invalid URL (${method} ${url})`)
  }
}

function requireMethod({ method, url }: IncomingMessage, allowed: string): void {
  if (method === allowed) return
  throw new ChatError(405, `Not allowed to ${method} on ${url}.`, null, 'method_not_supported')
}

function listModels(): object {
  return {
    object: 'list',
    data: [{ id: 'gpt-4', object: 'model', created: 0, owned_by: 'openai-simulator' }]
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) throw new ChatError(413, `the body must not exceed ${MAX_BODY_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** As OpenAI's cookbook counts gpt-4's chat format: 3 tokens frame each message, 3 begin the answer. */
function countPromptTokens(messages: readonly ChatMessage[]): number {
  const tokens = messages.map(
    ({ role, content }) => 3 + countTokens(role, PLAIN_TEXT) + countTokens(content, PLAIN_TEXT)
  )
  return tokens.reduce((sum, count) => sum + count, 3)
}

async function complete(body: string, latencyScale: number, signal: AbortSignal): Promise<object> {
  const { model, messages } = parseChatRequest(body)
  const promptTokens = countPromptTokens(messages)
  if (promptTokens > MAX_CONTEXT_TOKENS) {
    throw new ChatError(
      400,
      `This model's maximum context length is ${MAX_CONTEXT_TOKENS} tokens; your messages have ${promptTokens}.`,
      'messages',
      'context_length_exceeded'
    )
  }
  const content = quoteAnswer(messages.at(-1)?.content ?? '')
  const completionTokens = countTokens(content, PLAIN_TEXT)
  if (latencyScale > 0) {
    await wait(promptTokens * MS_PER_PROMPT_TOKEN * latencyScale, undefined, { signal })
  }
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, message: { role: 'assistant', content }, logprobs: null, finish_reason: 'stop' }],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens
    }
  }
}
