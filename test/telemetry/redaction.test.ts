import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { redactionProcessor, redactUrl } from '../../src/telemetry/redaction.ts'

test('a query string keeps everything but the values of sensitive names', () => {
  const cases = [
    ['/query?page=2', '/query?page=2'],
    ['/query?api_key=k&page=2', '/query?api_key=[REDACTED]&page=2'],
    ['?token=t#part', '?token=[REDACTED]#part'],
    ['password=p&ssn=1&credit_card=4', 'password=[REDACTED]&ssn=[REDACTED]&credit_card=[REDACTED]'],
    ['https://h/p?accessToken=t&X-API-Key=k', 'https://h/p?accessToken=[REDACTED]&X-API-Key=[REDACTED]'],
    ['/p?client_secret=', '/p?client_secret=[REDACTED]'],
    ['/p?max_tokens=5&secretary=ann', '/p?max_tokens=5&secretary=ann']
  ] as const
  for (const [url, redacted] of cases) assert.equal(redactUrl(url), redacted)
})

test('a long query string is redacted in a time in proportion to it', () => {
  // In proportion to its square it takes a quarter of an hour.
  const long = 'x'.repeat(1_000_000)
  assert.equal(redactUrl(`?token=t&${long}`), `?token=[REDACTED]&${long}`)
})

test('attributes and events are redacted before another processor sees the ended span', () => {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({
    spanProcessors: [redactionProcessor, new SimpleSpanProcessor({ exporter })]
  })
  const span = provider.getTracer('test').startSpan('work', {
    attributes: {
      password: 'p',
      'openai.api_key': 'k',
      'http.request.header.authorization': ['Bearer t'],
      userToken: 't',
      'user.ssn': '1',
      'llm.prompt_tokens': 5,
      'url.full': 'http://h/?token=t&page=2'
    }
  })
  span.addEvent('login', { secret: 's', attempt: 1 })
  span.end()
  const [ended] = exporter.getFinishedSpans()
  assert.deepEqual(ended?.attributes, {
    password: '[REDACTED]',
    'openai.api_key': '[REDACTED]',
    'http.request.header.authorization': '[REDACTED]',
    userToken: '[REDACTED]',
    'user.ssn': '[REDACTED]',
    'llm.prompt_tokens': 5,
    'url.full': 'http://h/?token=[REDACTED]&page=2'
  })
  assert.deepEqual(ended?.events[0]?.attributes, { secret: '[REDACTED]', attempt: 1 })
})
