/** Programs that take or give OTLP (a Jaeger, a collector), started for one test, and spans to send them. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { TestContext } from 'node:test'
import { until } from '../processes.ts'

export async function findFreePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as { port: number }
  listener.close()
  return port
}

/** Runs a program until the test ends, or `stop`, and waits until `readyUrl` answers with success. */
export async function startProgram(
  t: TestContext,
  [program = '', ...args]: string[],
  env: Record<string, string>,
  readyUrl: string
): Promise<{ stop(): Promise<void> }> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk).slice(-4000)
  })
  async function stop(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  t.after(stop)
  await until(`${program} is ready`, async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${stderr}`)
    return fetch(readyUrl).then(
      (response) => response.ok,
      () => false
    )
  })
  return { stop }
}

/** Sends one trace of two spans as OTLP/HTTP in JSON. @returns its id */
export async function sendTrace(
  otlpUrl: string,
  { durationMs, isError = false }: { durationMs: number; isError?: boolean }
): Promise<string> {
  const traceId = randomBytes(16).toString('hex')
  const rootId = randomBytes(8).toString('hex')
  const startMs = Date.now() - durationMs
  function spanOf(name: string, spanId: string, parentSpanId: string) {
    const startTimeUnixNano = String(BigInt(startMs) * 1_000_000n)
    const endTimeUnixNano = String(BigInt(startMs + durationMs) * 1_000_000n)
    // 2 is an error, and 1 an internal span, in OTLP's numbers.
    const status = { code: isError ? 2 : 0 }
    return { traceId, spanId, parentSpanId, name, kind: 1, startTimeUnixNano, endTimeUnixNano, status }
  }
  const spans = [spanOf('parent', rootId, ''), spanOf('child', randomBytes(8).toString('hex'), rootId)]
  const attributes = [{ key: 'service.name', value: { stringValue: 'gateway-test' } }]
  const response = await fetch(`${otlpUrl}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] })
  })
  if (!response.ok) throw new Error(`${otlpUrl} answered ${response.status}: ${await response.text()}`)
  return traceId
}
