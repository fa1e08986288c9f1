import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import type { ErrorBody } from '../../src/errors.ts'
import { type AnswerBody, startService } from '../service.ts'

const service = await startService({ FAULTS: 'none' })
after(service.close)

const json = { 'content-type': 'application/json' }

interface BadRequest {
  name: string
  path?: string
  method?: string
  headers?: Record<string, string>
  body?: string
  status: number
  code: string
  /** What the message has to tell. */
  says: RegExp
}

const query = (value: unknown) => JSON.stringify({ query: value })

const badRequests: BadRequest[] = [
  {
    name: 'wrong JSON',
    body: '{"query": "x"',
    status: 400,
    code: 'FST_ERR_CTP_INVALID_JSON_BODY',
    says: /not valid JSON/
  },
  { name: 'an empty body', body: '', status: 400, code: 'FST_ERR_CTP_EMPTY_JSON_BODY', says: /empty/ },
  {
    name: 'a poisoned body',
    body: '{"__proto__": {"x": 1}}',
    status: 400,
    code: 'FST_ERR_CTP_INVALID_JSON_BODY',
    says: /not valid JSON/
  },
  {
    name: 'a list',
    body: '[]',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body must be a JSON object such as/
  },
  { name: 'no query', body: '{}', status: 400, code: 'FST_ERR_VALIDATION', says: /^body\.query is missing$/ },
  {
    name: 'an empty query',
    body: query(''),
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.query must not be empty$/
  },
  {
    name: 'a blank query',
    body: query(' \n\t'),
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.query must not be blank$/
  },
  {
    name: 'a number as query',
    body: query(5),
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.query must be a string$/
  },
  {
    name: 'null as query',
    body: query(null),
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.query must be a string$/
  },
  {
    name: 'a list as query',
    body: query(['x']),
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.query must be a string$/
  },
  {
    name: '1,001 characters',
    body: query('x'.repeat(1001)),
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.query must have at most 1000 characters$/
  },
  { name: 'a NUL', body: query('a\0b'), status: 400, code: 'FST_ERR_VALIDATION', says: /U\+0000/ },
  {
    name: 'two faults',
    body: '{"query": "", "user_id": 7}',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.query must not be empty; body\.user_id must be a string/
  },
  {
    name: 'an empty user_id',
    body: '{"query": "x", "user_id": ""}',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.user_id must not be empty$/
  },
  {
    name: 'a long user_id',
    body: `{"query": "x", "user_id": "${'u'.repeat(129)}"}`,
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /at most 128/
  },
  {
    name: 'a long tenant',
    headers: { ...json, 'x-tenant-id': 't'.repeat(129) },
    body: query('x'),
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^headers\.x-tenant-id must have at most 128 characters$/
  },
  {
    name: 'a form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'query=x',
    status: 415,
    code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    says: /content-type: application\/json/
  },
  {
    name: 'plain text',
    headers: { 'content-type': 'text/plain' },
    body: query('x'),
    status: 415,
    code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    says: /content-type: application\/json/
  },
  {
    name: '10 MB',
    body: query('x'.repeat(10_000_000)),
    status: 413,
    code: 'FST_ERR_CTP_BODY_TOO_LARGE',
    says: /64 KB/
  },
  {
    name: 'the wrong method',
    method: 'GET',
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    says: /does not take GET; it takes POST/
  },
  {
    name: 'an unknown route',
    path: '/querry',
    status: 404,
    code: 'NOT_FOUND',
    says: /There is no \/querry\. There are: .*POST \/query/
  },
  { name: 'a broken address', path: '/%zz', method: 'GET', status: 400, code: 'FST_ERR_BAD_URL', says: /./ },
  {
    name: 'an unknown fault',
    path: '/faults/gravity',
    method: 'PUT',
    body: '{"enabled": true}',
    status: 404,
    code: 'UNKNOWN_FAULT',
    says: /There is no fault "gravity".*quadratic-chunk-filter/
  },
  {
    name: 'a fault switched to "yes"',
    path: '/faults/quadratic-chunk-filter',
    method: 'PUT',
    body: '{"enabled": "yes"}',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.enabled must be true or false$/
  },
  {
    name: 'a fault switched without a body',
    path: '/faults',
    method: 'PUT',
    headers: {},
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /\{"enabled": true\}/
  },
  {
    name: 'a window of 0 s',
    path: '/diagnosis',
    body: '{"seconds": 0}',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^body\.seconds must be a number from 1 to 60$/
  },
  {
    name: 'a window of 61 s',
    path: '/diagnosis',
    body: '{"seconds": 61}',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /from 1 to 60/
  },
  {
    name: 'a window of "ten"',
    path: '/diagnosis',
    body: '{"seconds": "ten"}',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /from 1 to 60/
  },
  {
    name: 'a negative duration',
    path: '/traces?min_duration_ms=-1',
    method: 'GET',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^querystring\.min_duration_ms must be/
  },
  {
    name: 'a duration of no digits',
    path: '/traces?min_duration_ms=',
    method: 'GET',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /^querystring\.min_duration_ms must be/
  },
  {
    name: 'an unknown status',
    path: '/traces?status=fine',
    method: 'GET',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /must be ok or error/
  },
  {
    name: 'a trace id that is none',
    path: '/traces/1',
    method: 'GET',
    status: 400,
    code: 'FST_ERR_VALIDATION',
    says: /32 hexadecimal/
  },
  {
    name: 'an unknown trace',
    path: `/traces/${'0'.repeat(32)}`,
    method: 'GET',
    status: 404,
    code: 'UNKNOWN_TRACE',
    says: /x-force-sample/
  }
]

for (const {
  name,
  path = '/query',
  method = 'POST',
  headers = json,
  body,
  status,
  code,
  says
} of badRequests) {
  test(`${name}: ${status} ${code}`, async () => {
    const response = await fetch(service.url + path, {
      method,
      ...(method === 'GET' ? {} : { headers }),
      ...(body === undefined ? {} : { body })
    })
    const answer = (await response.json()) as ErrorBody
    assert.deepEqual(Object.keys(answer).toSorted(), ['code', 'error', 'message', 'statusCode'])
    assert.deepEqual([response.status, answer.statusCode, answer.code], [status, status, code])
    assert.match(answer.message, says)
  })
}

test('405 names the methods in Allow', async () => {
  const response = await fetch(`${service.url}/faults/quadratic-chunk-filter`, { method: 'DELETE' })
  assert.equal(response.status, 405)
  assert.equal(response.headers.get('allow'), 'PUT')
})

test('what is not HTTP gets an answer of the same shape', async () => {
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  socket.end('NONSENSE\r\n\r\n')
  const answer = await text(socket)
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
  const body = JSON.parse(answer.split('\r\n\r\n')[1] ?? '')
  assert.deepEqual(Object.keys(body), ['statusCode', 'code', 'error', 'message'])
})

test('headers past 16 KB: 431', async () => {
  const response = await fetch(`${service.url}/health`, { headers: { 'x-long': 'x'.repeat(17_000) } })
  assert.equal(response.status, 431)
  assert.equal(((await response.json()) as ErrorBody).code, 'HPE_HEADER_OVERFLOW')
})

test('after all of that, and with values at their limits and hostile headers, it still answers', async () => {
  const response = await fetch(`${service.url}/query`, {
    method: 'POST',
    headers: {
      ...json,
      'x-tenant-id': "'; DROP TABLE documents; --".padEnd(128, '-'),
      traceparent: '00-ffffffffffffffffffffffffffffffff-0000000000000000-01',
      tracestate: 'a=b,'.repeat(500),
      baggage: Array.from({ length: 1000 }, (_, i) => `k${i}=v`).join(',')
    },
    body: JSON.stringify({ query: 'retention '.repeat(100), user_id: 'u'.repeat(128), extra: 'ignored' })
  })
  const answer = (await response.json()) as AnswerBody
  assert.equal(response.status, 200)
  assert(answer.num_results > 0)
})
