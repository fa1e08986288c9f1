/** What breaks around the service, what its callers see of it, and that it mends by itself. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, symlinkSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isRunning, until } from '../processes.ts'
import { descendantsOf, type StartedServer, startServer } from '../server-process.ts'
import { startHeldModel } from '../service.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Answer {
  status: number
  code?: string | undefined
  retryAfter: string | null
}

async function ask(url: string, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch(`${url}/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query": "What are the data retention rules?"}',
    ...(signal && { signal })
  })
  const { code } = (await response.json()) as { code?: string }
  return { status: response.status, code, retryAfter: response.headers.get('retry-after') }
}

function untilAnswered(url: string): Promise<void> {
  return until('it answers again', async () => (await ask(url)).status === 200)
}

/** Asks without a pause while `act` runs and until all is well again. @returns what was answered */
async function askDuring(url: string, act: () => Promise<unknown>): Promise<Answer[]> {
  const over = new AbortController()
  const answers: Answer[] = []
  async function askOn(): Promise<void> {
    while (!over.signal.aborted) answers.push(await ask(url))
  }
  const callers = [askOn(), askOn(), askOn(), askOn()]
  await act()
  await untilAnswered(url)
  over.abort()
  await Promise.all(callers)
  return answers
}

/** Every request has an answer: it is right, or it says 503, why, and when to come again. */
function assertOnlyUnavailable(answers: Answer[], code: string): void {
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    assert.deepEqual([answer.status, answer.code], [503, code])
    assert(Number(answer.retryAfter) > 0)
  }
}

suite('the processes that belong to it', () => {
  async function startAndFind(): Promise<StartedServer & { database: number; model: number }> {
    const server = await startServer()
    // In the order in which the service starts them.
    const [database = 0, model = 0] = descendantsOf(server.child.pid)
    return { ...server, database, model }
  }

  test('killing the database or the model: 503 until it is there again, and nothing else', async (t) => {
    const { child, url, database, model } = await startAndFind()
    await untilAnswered(url)
    for (const [name, pid, code] of [
      ['database', database, 'DATABASE_UNAVAILABLE'],
      ['model', model, 'MODEL_UNREACHABLE']
    ] as const) {
      const answers = await askDuring(url, async () => {
        process.kill(pid, 'SIGKILL')
        await until('it has ended', () => !isRunning(pid))
        await delay(200)
      })
      assertOnlyUnavailable(answers, code)
      const failed = answers.filter(({ status }) => status === 503).length
      assert(failed > 0, `${name}: nobody noticed`)
      t.diagnostic(`${name}: ${failed} of ${answers.length} questions were told to come again, none was lost`)
    }
    assert(isRunning(child.pid ?? 0))
    assert.equal((await fetch(`${url}/health`)).status, 200)
    child.kill('SIGTERM')
  })
})

/** A model that does what it is told to. */
async function startMoodyModel() {
  let mood: (response: ServerResponse) => void = answerWell
  function answerWell(response: ServerResponse): void {
    response.end(
      JSON.stringify({
        model: 'gpt-4',
        choices: [{ message: { content: 'the answer' } }],
        usage: { prompt_tokens: 1, completion_tokens: 1 }
      })
    )
  }
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => mood(response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    feel(next?: (response: ServerResponse) => void) {
      mood = next ?? answerWell
    }
  }
}

test('a model that hangs, breaks off, or answers nonsense: its own status each, and well at once after', async () => {
  const model = await startMoodyModel()
  const { child, url, output } = await startServer({
    OPENAI_BASE_URL: model.baseUrl,
    MODEL_TIMEOUT_MS: '500'
  })
  const cases: [number, string, (response: ServerResponse) => void][] = [
    [504, 'MODEL_TIMEOUT', () => {}],
    [504, 'MODEL_TIMEOUT', (response) => void response.write('{"model"')],
    [503, 'MODEL_UNREACHABLE', (response) => response.destroy()],
    [503, 'MODEL_UNREACHABLE', (response) => void response.write('{"model"', () => response.destroy())],
    [502, 'MODEL_BAD_ANSWER', (response) => void response.end('<html>secret of the model</html>')],
    [502, 'MODEL_ERROR', (response) => void response.writeHead(429).end('{}')],
    [502, 'MODEL_ERROR', (response) => void response.writeHead(500).end('secret of the model')]
  ]
  for (const [status, code, mood] of cases) {
    model.feel(mood)
    const answer = await ask(url)
    assert.deepEqual([answer.status, answer.code], [status, code])
    model.feel()
    assert.equal((await ask(url)).status, 200, `after ${code}`)
  }
  assert(isRunning(child.pid ?? 0), output().stderr)
  child.kill('SIGTERM')
})

suite('more than it takes on', () => {
  test('by default 64 run and 256 wait; the rest is told to come again, and all that wait are answered', async () => {
    const model = await startHeldModel()
    const { child, url } = await startServer({ OPENAI_BASE_URL: model.baseUrl })
    const pending = Array.from({ length: 340 }, () => ask(url))
    const refused: Answer[] = []
    for (const each of pending) void each.then((answer) => answer.status !== 200 && refused.push(answer))
    await until('20 are refused', () => refused.length >= 20)
    assert.equal((await fetch(`${url}/health`)).status, 200)
    model.release()
    const answers = await Promise.all(pending)
    assert.equal(answers.filter(({ status }) => status === 200).length, 320)
    assertOnlyUnavailable(answers, 'OVERLOADED')
    child.kill('SIGTERM')
  })

  test('who leaves the queue makes room; a query past its time is told so, and one that waited for half of it', async () => {
    const model = await startHeldModel()
    const { child, url } = await startServer({
      OPENAI_BASE_URL: model.baseUrl,
      MAX_CONCURRENT_QUERIES: '1',
      MAX_WAITING_QUERIES: '1',
      QUERY_TIMEOUT_MS: '12000'
    })
    const running = ask(url)
    await model.asked
    const leaver = new AbortController()
    const left = assert.rejects(ask(url, leaver.signal), { name: 'AbortError' })
    await delay(200)
    await until('the queue is full', async () => (await ask(url)).code === 'OVERLOADED')
    leaver.abort()
    await left
    const waiting = ask(url)
    assertOnlyUnavailable([await running], 'QUERY_TIMEOUT')
    assertOnlyUnavailable([await waiting], 'OVERLOADED')
    child.kill('SIGTERM')
  })
})

suite('callers who do not behave', () => {
  const HEAD = 'POST /query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n'

  function open(url: string, firstBytes: string): Socket {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.write(firstBytes)
    return socket
  }

  test('who sends slowly gets 408 in time, while others are answered', async () => {
    const { child, url } = await startServer({ HEADERS_TIMEOUT_MS: '500', REQUEST_TIMEOUT_MS: '1000' })
    const slow = Array.from({ length: 50 }, (_, i) =>
      open(url, i % 2 === 0 ? HEAD : `${HEAD}content-length: 50\r\n\r\n{"query":`)
    )
    const drip = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('x')
    }, 100)
    const ended = Promise.all(slow.map((socket) => text(socket)))
    assert.equal((await ask(url)).status, 200)
    const answers = await ended
    clearInterval(drip)
    for (const answer of answers)
      assert.match(answer, /^HTTP\/1\.1 (408 Request Timeout|400 Bad Request)\r\n/)
    assert.equal((await ask(url)).status, 200)
    child.kill('SIGTERM')
  })

  test('who vanishes in the midst of anything costs nobody else an answer', async () => {
    const { child, url } = await startServer({ MAX_CONCURRENT_QUERIES: '2', MAX_WAITING_QUERIES: '60' })
    const body = '{"query": "What are the data retention rules?"}'
    const whole = `${HEAD}content-length: ${body.length}\r\n\r\n${body}`
    for (let length = 10; length <= whole.length; length += 7) {
      const socket = open(url, whole.slice(0, length))
      await delay(length % 5)
      socket.resetAndDestroy()
    }
    const whoVanish = Array.from({ length: 40 }, () => open(url, whole))
    await delay(50)
    for (const socket of whoVanish) socket.resetAndDestroy()
    await untilAnswered(url)
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    child.kill('SIGTERM')
  })
})

test('a full disk: the findings are printed, the report is said not to be written, exit code 2', {
  skip: process.platform !== 'linux' && 'has no /dev/full'
}, async () => {
  const { child, url } = await startServer({ FAULTS: 'n-plus-one-queries' })
  const directory = mkdtempSync(join(tmpdir(), 'full-'))
  symlinkSync('/dev/full', join(directory, 'bottleneck_analysis.md'))
  const cli = spawn(process.execPath, [join(ROOT, 'src/cli/diagnose.ts'), '--url', url, '--seconds', '3'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const [stdout, stderr] = await Promise.all([text(cli.stdout), text(cli.stderr)])
  if (cli.exitCode === null) await once(cli, 'exit')
  assert.equal(cli.exitCode, 2, stderr)
  assert.match(stderr, /The report cannot be written in .*ENOSPC/)
  assert.match(stdout, /rag\.retrieve/)
  child.kill('SIGTERM')
})
