import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { type TestContext, test } from 'node:test'
import { createModelClient } from '../../src/model/client.ts'
import { type SimulatedModel, startSimulatedModel } from '../../src/model/simulator.ts'
import { isRunning, until } from '../processes.ts'

const prompt =
  'Answer.\n\n[1] Retention Policy\nAudit logs are kept for seven years.\n\nQuestion: How long are audit logs kept?'

async function startModel(
  t: TestContext,
  latencyScale = 0,
  warnings: string[] = []
): Promise<SimulatedModel> {
  const model = await startSimulatedModel({ latencyScale, warn: (message) => warnings.push(message) })
  t.after(() => model.close())
  return model
}

const createClient = ({ baseUrl }: SimulatedModel) =>
  createModelClient({ baseUrl, model: 'gpt-4', timeoutMs: 10_000 })

test('answers the real client by quoting the prompt, with usage as the chat format counts it', async (t) => {
  const completion = await createClient(await startModel(t)).complete(prompt)
  assert.deepEqual(completion, {
    text: 'According to "Retention Policy": "Audit logs are kept for seven years."',
    model: 'gpt-4',
    promptTokens: 26 + 7,
    completionTokens: 15,
    repeatedPromptTokens: 0
  })
})

test('waits 1.5 ms for each prompt token, times the latency scale', async (t) => {
  const client = createClient(await startModel(t, 0.5))
  const startMs = performance.now()
  const { promptTokens } = await client.complete('word '.repeat(300))
  const waitedMs = performance.now() - startMs
  assert.ok(promptTokens > 300)
  // A timer may fire a millisecond early.
  assert.ok(waitedMs >= promptTokens * 1.5 * 0.5 - 1, `${waitedMs} ms for ${promptTokens} tokens`)
})

test('many at once are answered each with its own', async (t) => {
  const client = createClient(await startModel(t))
  const titles = Array.from({ length: 40 }, (_, index) => `Policy ${index}`)
  const answers = await Promise.all(
    titles.map((title) => client.complete(`[1] ${title}\nGifts are declared.\n\nQuestion: Which gifts?`))
  )
  assert.deepEqual(
    answers.map(({ text }) => text),
    titles.map((title) => `According to "${title}": "Gifts are declared."`)
  )
})

test('lists its model', async (t) => {
  const response = await fetch(`${(await startModel(t)).baseUrl}/models`)
  const { data } = (await response.json()) as { data: { id: string }[] }
  assert.deepEqual(
    data.map(({ id }) => id),
    ['gpt-4']
  )
})

test('refuses bad input as the real API does, and goes on', async (t) => {
  const model = await startModel(t)
  const user = { role: 'user', content: 'x' }
  const post = (body: string) => fetch(`${model.baseUrl}/chat/completions`, { method: 'POST', body })
  const postMessages = (messages: unknown, more = {}) =>
    post(JSON.stringify({ model: 'gpt-4', messages, ...more }))
  const refusals: [string, number, Promise<Response>][] = [
    ['no JSON', 400, post('{')],
    ['no object', 400, post('null')],
    ['no body', 400, post('')],
    ['no model', 400, post(JSON.stringify({ messages: [user] }))],
    ['no messages', 400, post(JSON.stringify({ model: 'gpt-4' }))],
    ['empty messages', 400, postMessages([])],
    ['null message', 400, postMessages([null])],
    ['unknown role', 400, postMessages([{ ...user, role: 'king' }])],
    ['no content', 400, postMessages([{ role: 'user' }])],
    ['streaming', 400, postMessages([user], { stream: true })],
    ['too many tokens', 400, postMessages([{ role: 'user', content: 'a b '.repeat(5000) }])],
    ['large body', 413, post('x'.repeat(100_000))],
    ['unknown address', 404, fetch(`${model.baseUrl}/nope`)],
    ['wrong method', 405, fetch(`${model.baseUrl}/chat/completions`)],
    ['wrong method', 405, fetch(`${model.baseUrl}/models`, { method: 'DELETE' })]
  ]
  for (const [what, status, pending] of refusals) {
    const response = await pending
    const { error } = (await response.json()) as { error: { message: string; type: string } }
    assert.equal(response.status, status, what)
    assert.equal(error.type, 'invalid_request_error', what)
    assert.ok(error.message.length > 0, what)
  }
  const { pid } = model
  assert.ok((await createClient(model).complete(prompt)).text.includes('seven years'))
  assert.equal(model.pid, pid)
})

test('a client that leaves while the model waits does no harm', async (t) => {
  const model = await startModel(t, 100)
  const leaving = new AbortController()
  const pending = createClient(model).complete(prompt, leaving.signal)
  setImmediate(() => leaving.abort(new Error('gone')))
  await assert.rejects(pending, { message: 'gone' })
  assert.equal((await fetch(`${model.baseUrl}/models`)).status, 200)
})

test('is started again at the same address when its process dies', async (t) => {
  const warnings: string[] = []
  const model = await startModel(t, 0, warnings)
  const client = createClient(model)
  const { baseUrl, pid: firstPid = 0 } = model
  process.kill(firstPid, 'SIGKILL')
  await until('a new process answers', () =>
    client.complete(prompt).then(
      () => true,
      () => false
    )
  )
  assert.notEqual(model.pid, firstPid)
  assert.equal(model.baseUrl, baseUrl)
  assert.deepEqual(warnings, ['the simulated model died: SIGKILL'])
})

test('close ends the process, also while it is being started again, and may be called twice', async () => {
  const model = await startSimulatedModel({ latencyScale: 0 })
  const { pid = 0 } = model
  await Promise.all([model.close(), model.close()])
  assert.equal(isRunning(pid), false)

  const dying = await startSimulatedModel({ latencyScale: 0 })
  const { pid: firstPid = 0 } = dying
  process.kill(firstPid, 'SIGKILL')
  await until('a new process was forked', () => dying.pid !== firstPid)
  await dying.close()
  assert.equal(isRunning(dying.pid ?? 0), false)
})

test('Ctrl-C, which reaches every process of a terminal, leaves the end to the parent', async (t) => {
  const model = await startModel(t, 1)
  const pending = createClient(model).complete(prompt)
  process.kill(model.pid ?? 0, 'SIGINT')
  assert.ok((await pending).text.includes('seven years'))
})

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`leaves no orphan when its parent dies of ${signal}`, async () => {
    const simulatorUrl = new URL('../../src/model/simulator.ts', import.meta.url).href
    const code = `
      import { startSimulatedModel } from '${simulatorUrl}'
      const model = await startSimulatedModel({ latencyScale: 0 })
      console.log(model.pid)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(line)
    assert.ok(isRunning(pid))
    parent.kill(signal)
    await until('the simulated model ended', () => !isRunning(pid))
  })
}
