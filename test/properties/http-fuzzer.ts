/** Random requests to every route of the OpenAPI document, well-formed or nearly, and what no answer may be. */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import fc from 'fast-check'

type Schema = Record<string, unknown>

interface Operation {
  method: string
  path: string
  parameters: { name: string; in: string; schema: Schema }[]
  body?: Schema | undefined
}

interface Document {
  paths: Record<string, Record<string, Record<string, unknown>>>
}

interface Sent {
  method: string
  path: string
  headers: Record<string, string>
  body?: string | undefined
}

interface Answer {
  status: number
  headers: Record<string, unknown>
  text: string
}

/** Answers for which nobody waits longer are hung; the longest diagnosis is kept out below. */
const HUNG_MS = 30_000

/** What would tell of the inside: stack traces, SQL, files of this machine, settings that are secret. */
const LEAK =
  /\n\s+at |node:internal|node_modules|SELECT .* FROM |PostgreSQL|postgres:\/\/|ECONNREFUSED|hunter2/

/** These run for as long as they are told, one at a time; one second each is enough. */
const SLOW = ['POST /diagnosis', 'GET /debug/pprof/profile', 'POST /memory/leak-check']

/** Sends `count` requests, a few at a time. @returns how often each status came */
export async function fuzz(
  url: string,
  count: number,
  secrets: string[] = []
): Promise<Record<number, number>> {
  const response = await fetch(`${url}/openapi.json`)
  const operations = listOperations((await response.json()) as Document)
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const statuses: Record<number, number> = {}
  const requests = fc.constantFrom(...operations).chain(requestFor)
  const property = fc.asyncProperty(fc.array(requests, { minLength: 10, maxLength: 10 }), async (batch) => {
    const answers = await Promise.all(batch.map((each) => send(url, each, agent)))
    for (const [i, answer] of answers.entries()) {
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
      check(batch[i] as Sent, answer, secrets)
    }
  })
  await fc.assert(property, {
    numRuns: Math.ceil(count / 10),
    endOnFailure: true
  })
  agent.destroy()
  return statuses
}

function check(sent: Sent, { status, headers, text }: Answer, secrets: string[]): void {
  const shown = `${JSON.stringify(sent)} → ${status} ${text.slice(0, 300)}`
  if (status >= 500) {
    assert.equal(status, 503, shown)
    if (!sent.path.startsWith('/health')) assert(Number(headers['retry-after']) > 0, shown)
  }
  if (status >= 400 && !sent.path.startsWith('/health')) {
    assert.equal(typeof (JSON.parse(text) as { code: unknown }).code, 'string', shown)
    assert.doesNotMatch(withoutEcho(text, sent), LEAK, shown)
  }
  for (const secret of secrets) assert(!text.includes(secret), shown)
}

/** A message may repeat what was asked for. */
function withoutEcho(text: string, { path }: Sent): string {
  return text.replaceAll(decodeURIComponent(path.replace(/%(?![0-9a-f]{2})/gi, '%25')), '')
}

function listOperations({ paths }: Document): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const { parameters = [], requestBody } = operation as {
        parameters?: Operation['parameters']
        requestBody?: { content: Record<string, { schema: Schema }> }
      }
      return {
        method: method.toUpperCase(),
        path,
        parameters,
        body: requestBody?.content['application/json']?.schema
      }
    })
  )
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    '0',
    '-1',
    '1e999',
    'null',
    '__proto__',
    '../../etc/passwd',
    "'; DROP TABLE x; --",
    '\0',
    '😀'
  )
)

function requestFor(operation: Operation): fc.Arbitrary<Sent> {
  const { method, parameters, body } = operation
  return fc
    .record({
      path: pathFor(operation),
      query: fc.record(pick(parameters, 'query'), { requiredKeys: [] }),
      own: fc.record(pick(parameters, 'header'), { requiredKeys: [] }),
      headers: strangeHeaders,
      body: body === undefined ? fc.constant(undefined) : fc.option(bodyFor(body), { nil: undefined })
    })
    .map(({ path, query, own, headers, body: text }) => {
      const search = new URLSearchParams(query as Record<string, string>).toString()
      return {
        method,
        path: search === '' ? path : `${path}?${search}`,
        headers: toHeaders({
          ...own,
          ...headers,
          ...(text === undefined ? {} : { 'content-type': 'application/json' })
        }),
        body: method === 'GET' ? undefined : text
      }
    })
    .map((sent) =>
      SLOW.some((slow) => `${sent.method} ${sent.path}`.startsWith(slow)) ? shorten(sent) : sent
    )
}

/** Refused before it runs: a value that is out of its range by far. */
function shorten(sent: Sent): Sent {
  if (sent.method === 'GET') return { ...sent, path: `${sent.path.split('?')[0]}?seconds=0` }
  return { ...sent, body: sent.body?.startsWith('{') ? '{"seconds": 0, "iterations": 0}' : '[' }
}

function pick(parameters: Operation['parameters'], place: string): Record<string, fc.Arbitrary<string>> {
  const names = parameters.filter((each) => each.in === place)
  return Object.fromEntries(
    names.map(({ name, schema }) => [name, fc.oneof(valueFor(schema).map(toText), anyText)])
  )
}

function pathFor({ path }: Operation): fc.Arbitrary<string> {
  const parts = path
    .split('/')
    .map((part) =>
      part.startsWith('{') ? fc.oneof(anyText.map(encode), fc.constant('0'.repeat(32))) : fc.constant(part)
    )
  return fc.tuple(...parts).map((all) => all.join('/'))
}

/** Objects that a fuzzer makes may have a toString of their own. */
function toText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Lone surrogates have no encoding. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('.', '%2e')
}

const strangeHeaders = fc.dictionary(
  fc.constantFrom(
    'traceparent',
    'tracestate',
    'x-force-sample',
    'x-user-id',
    'x-tenant-id',
    'accept',
    'content-type'
  ),
  fc.oneof(
    anyText,
    fc.constantFrom('00-ffffffffffffffffffffffffffffffff-0000000000000001-01', '1', 'text/html')
  ),
  { maxKeys: 3 }
)

/** Node's client refuses to send control characters. */
function toHeaders(headers: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value).replace(/[^\x20-\x7e]/g, '?')])
  )
}

function bodyFor(schema: Schema): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: valueFor(schema).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: anyText }
  )
}

/** Mostly what the schema asks for, with something else in places. */
function valueFor(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 6, arbitrary: validFor(schema) }, { weight: 1, arbitrary: fc.jsonValue() })
}

function validFor(schema: Schema): fc.Arbitrary<unknown> {
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  if (Array.isArray(schema.anyOf)) return fc.oneof(...(schema.anyOf as Schema[]).map(valueFor))
  switch (schema.type) {
    case 'object':
      return objectFor(schema)
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.double({ noNaN: true }), fc.constantFrom(0, -1, 1e308))
    case 'boolean':
      return fc.boolean()
    case 'string':
      return fc.oneof(
        anyText,
        fc.string({ minLength: 1, maxLength: 1200 }),
        fc.constant('How long are logs kept?')
      )
    default:
      return fc.jsonValue()
  }
}

function objectFor({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const values = Object.entries(properties as Record<string, Schema>).map(([name, each]) => [
    name,
    valueFor(each)
  ])
  return fc.record(Object.fromEntries(values), { requiredKeys: required as never[] })
}

function send(url: string, { method, path, headers, body }: Sent, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(HUNG_MS)
    const sent = request(`${url}${path}`, { method, headers, agent, signal }, async (response) => {
      const parts = await response.toArray()
      const text = Buffer.concat(parts).toString()
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
    })
    sent.on('error', (cause) => reject(new Error(`no answer to ${method} ${path} ${body}`, { cause })))
    sent.end(body)
  })
}
