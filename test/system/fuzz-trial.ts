import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { isRunning } from '../processes.ts'
import { fuzz } from '../properties/http-fuzzer.ts'
import { startServer } from '../server-process.ts'

const SECRETS = { OPENAI_API_KEY: 'hunter2-key', ADMIN_TOKEN: 'hunter2-token' }

/** Sends so many random requests to a service of its own, which has to survive them and keep its secrets. */
export async function fuzzService(t: TestContext, requests: number): Promise<void> {
  const { child, url, output } = await startServer(SECRETS)
  const statuses = await fuzz(url, requests, Object.values(SECRETS))
  t.diagnostic(`answers by status: ${JSON.stringify(statuses)}`)
  assert(isRunning(child.pid ?? 0), output().stderr)
  const { stdout, stderr } = output()
  for (const secret of Object.values(SECRETS)) assert(!(stdout + stderr).includes(secret))
  assert.equal((await fetch(`${url}/health`)).status, 200)
  child.kill('SIGTERM')
}
