import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createModelClient } from '../src/model/client.ts'
import { type LogLine, sendJson, startHeldModel, startService, until } from './service.ts'

const service = await startService({ FAULTS: 'none' })
after(service.close)

function untilLogged(traceId: string, count: number): Promise<LogLine[]> {
  return until(function findLines() {
    const lines = service.logLines.filter((line) => line.trace_id === traceId)
    return lines.length >= count && lines
  })
}

const question = { query: 'What are the data retention rules?' }

test('a request leaves one line, which leads to its trace', async () => {
  const { body, headers } = await sendJson(`${service.url}/query?token=hunter2`, 'POST', question)
  const [line, ...others] = await untilLogged(body.trace_id, 1)
  assert(line)
  const { level, msg, method, url, status_code, span_id } = line
  assert.deepEqual(
    { level, msg, method, url, status_code },
    { level: 30, msg: 'request completed', method: 'POST', url: '/query?token=[REDACTED]', status_code: 200 }
  )
  assert.equal(span_id, headers.get('traceresponse')?.split('-')[2])
  assert.deepEqual(others, [])
})

test('a slow request is a warning; one that was asked to take long is not', async () => {
  const { url } = await service.listen({ slowRequestMs: 0 })
  const { body } = await sendJson(`${url}/query`, 'POST', question)
  const [line] = await untilLogged(body.trace_id, 1)
  assert.deepEqual([line?.level, line?.msg], [40, 'slow request'])
  await sendJson(`${url}/diagnosis`, 'POST', { seconds: 1 })
  const diagnosis = await until(() => service.logLines.find((each) => each.url === '/diagnosis'))
  assert.deepEqual([diagnosis.level, diagnosis.msg], [30, 'request completed'])
})

test('a refused request says why, in its own trace', async () => {
  const { headers } = await sendJson(`${service.url}/query`, 'POST', { query: '' })
  const lines = await untilLogged(headers.get('traceresponse')?.split('-')[1] ?? '', 2)
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [30, 'body.query must not be empty'],
      [30, 'request completed']
    ]
  )
})

test('a caller who leaves is noted, and nobody else is disturbed', async () => {
  const held = await startHeldModel()
  const model = createModelClient({ baseUrl: held.baseUrl, model: 'gpt-4', timeoutMs: 20_000 })
  const { url } = await service.listen({}, model)
  const leaving = new AbortController()
  const gone = fetch(`${url}/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
    signal: leaving.signal
  })
  await Promise.race([held.asked, gone])
  leaving.abort()
  await assert.rejects(gone, { name: 'AbortError' })
  await until(() => service.logLines.some(({ code }) => code === 'CLIENT_CLOSED_REQUEST'))
  assert.equal((await sendJson(`${service.url}/query`, 'POST', question)).status, 200)
})

test('without a database: 503 with a code, the reason in the log alone; health says degraded', async () => {
  await service.database.close()
  const { status, headers, body } = await sendJson<{ code: string; message: string }>(
    `${service.url}/query`,
    'POST',
    question
  )
  const traceId = headers.get('traceresponse')?.split('-')[1] ?? ''
  assert.deepEqual(
    [status, body.message],
    [503, `The service cannot answer now: try again later; the log has the cause under trace_id ${traceId}.`]
  )
  const failed = (await untilLogged(traceId, 2)).find(({ msg }) => msg === 'request failed')
  assert.equal(failed?.level, 50)
  assert(failed?.err)
  const health = await fetch(`${service.url}/health`)
  assert.equal(health.status, 503)
  assert.equal(((await health.json()) as { status: string }).status, 'degraded')
  assert.equal((await fetch(`${service.url}/health/live`)).status, 200)
})
