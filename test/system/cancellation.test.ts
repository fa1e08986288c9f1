/** A caller that leaves stops the work that was for it, wherever that is, and the spans say so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServer } from '../server-process.ts'
import { sendJson, startHeldModel } from '../service.ts'

/** Longer than anything but a computation keeps the service from answering. */
const BUSY_MS = 150

interface KeptSpan {
  name: string
  status: string
  attributes: Record<string, unknown>
  events: { attributes: Record<string, unknown> }[]
}

/** Asks a question and leaves when `leaveWhen` resolves. @returns where its trace is */
async function askAndLeave(url: string, leaveWhen: () => Promise<unknown>): Promise<string> {
  const traceId = crypto.randomUUID().replaceAll('-', '')
  const caller = new AbortController()
  const pending = fetch(`${url}/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    body: '{"query": "What are the data retention rules?"}',
    signal: caller.signal
  })
  await leaveWhen()
  caller.abort()
  await assert.rejects(pending, { name: 'AbortError' })
  return `${url}/traces/${traceId}`
}

/** The spans of a trace, once those of `names` are among them: a stage can end after its request. */
async function untilKept(traceUrl: string, names: string[]): Promise<KeptSpan[]> {
  while (true) {
    const response = await fetch(traceUrl)
    const { spans = [] } = (await response.json()) as { spans?: KeptSpan[] }
    if (names.every((name) => spans.some((span) => span.name === name))) return spans
  }
}

/** The service computes, while it does not answer at once. */
async function untilBusy(url: string): Promise<void> {
  while (true) {
    const startMs = performance.now()
    const live = fetch(`${url}/health/live`, { signal: AbortSignal.timeout(BUSY_MS) })
    await live.then((response) => response.arrayBuffer()).catch(() => {})
    if (performance.now() - startMs >= BUSY_MS) return
  }
}

test('a call of the model is broken off', async () => {
  const model = await startHeldModel()
  const { url } = await startServer({ OPENAI_BASE_URL: model.baseUrl })
  const endedByIt = ['openai.generate', 'POST /query']
  const spans = await untilKept(await askAndLeave(url, () => model.asked), endedByIt)
  for (const name of endedByIt) {
    const span = spans.find((each) => each.name === name)
    assert.equal(span?.status, 'error', name)
    const reasons = span.events.map(({ attributes }) => attributes['exception.message'])
    assert(reasons.includes('The caller closed the connection.'), `${name}: ${reasons}`)
  }
})

test('between two computations the second is not begun, and the next caller gets an answer', async () => {
  const { url } = await startServer({ FAULTS: 'all' })
  const traceUrl = await askAndLeave(url, () => untilBusy(url))
  const { status } = await sendJson(`${url}/query`, 'POST', { query: 'Who approves access?' })
  assert.equal(status, 200)
  // After that answer nothing of the request before it can still be on its way.
  const names = (await untilKept(traceUrl, ['POST /query'])).map(({ name }) => name)
  assert(names.includes('rag.retrieve'), String(names))
  assert(!names.includes('openai.generate'), String(names))
})
