import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createModelClient, type ModelClientOptions, ModelUnavailableError } from '../../src/model/client.ts'

const goodAnswer = {
  id: 'chatcmpl-1',
  model: 'gpt-4-0613',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Seven years.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 }
}

async function startUpstream(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

const answering =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
  }

const createClient = (baseUrl: string, options: Partial<ModelClientOptions> = {}) =>
  createModelClient({ baseUrl, model: 'gpt-4', timeoutMs: 10_000, ...options })

async function failureOf(pending: Promise<unknown>): Promise<ModelUnavailableError> {
  const error = await pending.then(
    () => assert.fail('it answered'),
    (reason) => reason
  )
  assert.ok(error instanceof ModelUnavailableError, String(error))
  return error
}

test('asks for the model with one user message and the key, and reads text and usage', async (t) => {
  let seen: unknown
  const baseUrl = await startUpstream(t, async (request, response) => {
    const parts = await request.toArray()
    const { method, url, headers } = request
    seen = { method, url, key: headers.authorization, body: JSON.parse(Buffer.concat(parts).toString()) }
    response.end(JSON.stringify(goodAnswer))
  })
  const completion = await createClient(baseUrl, { apiKey: 'sk-test' }).complete('How long?')
  assert.deepEqual(completion, {
    text: 'Seven years.',
    model: 'gpt-4-0613',
    promptTokens: 12,
    repeatedPromptTokens: 0,
    completionTokens: 3
  })
  assert.deepEqual(seen, {
    method: 'POST',
    url: '/v1/chat/completions',
    key: 'Bearer sk-test',
    body: { model: 'gpt-4', messages: [{ role: 'user', content: 'How long?' }] }
  })
})

test('asks again where the server had closed the connection before it answered', async (t) => {
  let requests = 0
  const baseUrl = await startUpstream(t, (request, response) => {
    requests += 1
    if (requests === 1) request.socket.destroy()
    else response.end(JSON.stringify(goodAnswer))
  })
  const { text } = await createClient(baseUrl).complete('How long?')
  assert.equal(text, 'Seven years.')
  assert.equal(requests, 2)
})

test('gives up where the server closes every connection', async (t) => {
  let requests = 0
  const baseUrl = await startUpstream(t, (request) => {
    requests += 1
    request.socket.destroy()
  })
  const { code } = await failureOf(createClient(baseUrl).complete('How long?'))
  assert.equal(code, 'MODEL_UNREACHABLE')
  assert.equal(requests, 2)
})

for (const status of [400, 401, 404, 429, 500, 503]) {
  test(`a ${status} of the model is a 502, and what it said is kept in the cause alone`, async (t) => {
    const baseUrl = await startUpstream(
      t,
      answering({ error: { message: 'key sk-secret or hunter2 is wrong' } }, status)
    )
    const error = await failureOf(createClient(baseUrl, { apiKey: 'hunter2' }).complete('x'))
    assert.deepEqual([error.code, error.statusCode], ['MODEL_ERROR', 502])
    assert.ok(error.message.includes(String(status)))
    assert.ok(!error.message.includes('wrong'))
    assert.match((error.cause as Error).message, /key \[REDACTED\] or \[REDACTED\] is wrong/)
  })
}

for (const [name, body] of Object.entries({
  'no JSON': '<html>',
  nothing: '',
  'no choice': { ...goodAnswer, choices: [] },
  'no text': { ...goodAnswer, choices: [{ message: { content: null } }] },
  'no usage': { ...goodAnswer, usage: undefined },
  'a negative count': { ...goodAnswer, usage: { prompt_tokens: -1, completion_tokens: 0 } }
})) {
  test(`an answer with ${name} is a 502`, async (t) => {
    const error = await failureOf(createClient(await startUpstream(t, answering(body))).complete('x'))
    assert.deepEqual([error.code, error.statusCode], ['MODEL_BAD_ANSWER', 502])
    assert.ok(error.cause)
  })
}

test('a refused or broken connection is a 503', async (t) => {
  const broken = await startUpstream(t, (request) => request.socket.destroy())
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const refusing = `http://127.0.0.1:${(closed.address() as AddressInfo).port}/v1`
  await new Promise((resolve) => closed.close(resolve))
  for (const [baseUrl, code] of Object.entries({ [broken]: 'UND_ERR_SOCKET', [refusing]: 'ECONNREFUSED' })) {
    const error = await failureOf(createClient(baseUrl).complete('x'))
    assert.deepEqual([error.code, error.statusCode], ['MODEL_UNREACHABLE', 503])
    assert.equal(((error.cause as Error).cause as NodeJS.ErrnoException).code, code)
  }
})

for (const [name, listener] of Object.entries<RequestListener>({
  'never answers': () => {},
  'stops in the middle of its answer': (_request, response) => void response.writeHead(200).write('{')
})) {
  test(`a model that ${name} is a 504`, async (t) => {
    const client = createClient(await startUpstream(t, listener), { timeoutMs: 50 })
    const error = await failureOf(client.complete('x'))
    assert.deepEqual([error.code, error.statusCode], ['MODEL_TIMEOUT', 504])
  })
}

test("rejects with the signal's reason when the caller gives up, and closes the connection", async (t) => {
  const caller = new AbortController()
  const gone = Promise.withResolvers<void>()
  const baseUrl = await startUpstream(t, (_request, response) => {
    response.once('close', gone.resolve)
    caller.abort(new Error('the caller went away'))
  })
  await assert.rejects(createClient(baseUrl).complete('x', caller.signal), {
    message: 'the caller went away'
  })
  await gone.promise
})
