/**
 * The service against its own OpenAPI document, as schemathesis reads it: what it should take and refuse, and what
 * each answer looks like. SCHEMATHESIS is the command's path. Left out are the routes that watch for seconds, one
 * caller at a time; the fuzzer of our own takes those.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'

const SLOW_ROUTES = '^/(diagnosis|debug/pprof/profile|memory/leak-check)$'
const MIN_TEST_CASES = 500

interface Outcome {
  code: number
  stdout: string
}

async function runSchemathesis(...args: string[]): Promise<Outcome> {
  const command = process.env.SCHEMATHESIS
  assert.ok(command, 'SCHEMATHESIS is not set')
  // It keeps what it found where it runs.
  const cwd = mkdtempSync(path.join(tmpdir(), 'schemathesis-'))
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd, maxBuffer: 2 ** 26 })
    return { code: 0, stdout }
  } catch (error) {
    return error as Outcome
  } finally {
    rmSync(cwd, { recursive: true })
  }
}

test('what the document promises is kept, whatever is sent', async (t) => {
  const { child, url } = await startServer()
  // So that traces, statements and costs have something to show.
  await sendJson(`${url}/query`, 'POST', { query: 'Who approves access?' }, { 'x-force-sample': '1' })
  const { code, stdout } = await runSchemathesis(
    'run',
    `${url}/openapi.json`,
    '--checks=all',
    '--max-examples=40',
    // So that a failure can be repeated; what is sent depends on the answers as well.
    '--seed=1',
    '--continue-on-failure',
    `--exclude-path-regex=${SLOW_ROUTES}`
  )
  assert.equal(code, 0, stdout)
  const generated = Number(/(\d+) generated/.exec(stdout)?.[1])
  t.diagnostic(`${generated} requests`)
  assert.ok(generated >= MIN_TEST_CASES, stdout)
  assert.equal((await fetch(`${url}/health`)).status, 200)
  child.kill('SIGTERM')
})
