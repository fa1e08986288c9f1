/** A refusal in the form of OpenAI's API: a status and `{error: {message, type, param, code}}`. */
export class ChatError extends Error {
  readonly status: number
  readonly body: { error: { message: string; type: string; param: string | null; code: string | null } }
  constructor(status: number, message: string, param: string | null = null, code: string | null = null) {
    super(message)
    this.name = 'ChatError'
    this.status = status
    this.body = { error: { message, type: 'invalid_request_error', param, code } }
  }
}

export interface ChatMessage {
  role: string
  content: string
}

export interface ChatRequest {
  model: string
  messages: ChatMessage[]
}

const ROLES = ['system', 'developer', 'user', 'assistant']

/** Reads the body of `POST /v1/chat/completions`. @throws ChatError (400) that says what is wrong with it */
export function parseChatRequest(body: string): ChatRequest {
  const { model, messages, stream } = parseObject(body)
  if (typeof model !== 'string' || model === '') {
    throw new ChatError(400, 'you must provide a model parameter', 'model', 'missing_required_parameter')
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new ChatError(400, "'messages' must be an array with one message or more", 'messages')
  }
  if (stream === true) {
    throw new ChatError(400, 'the simulated model does not stream', 'stream', 'unsupported_value')
  }
  return { model, messages: messages.map(parseMessage) }
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw new ChatError(400, 'the body of the request must be a JSON object')
}

function parseMessage(message: unknown, index: number): ChatMessage {
  const { role, content } = (message ?? {}) as Partial<ChatMessage>
  if (typeof role !== 'string' || !ROLES.includes(role)) {
    throw new ChatError(400, `the role must be one of ${ROLES.join(', ')}`, `messages[${index}].role`)
  }
  if (typeof content !== 'string') {
    throw new ChatError(400, 'the content must be a string', `messages[${index}].content`)
  }
  return { role, content }
}
