/**
 * The README's walk, run: each `$ command` of its console blocks against a real service, its output compared line by
 * line. Figures and ids are masked; `…` stands for anything. And what it names has to exist.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import packageJson from '../../package.json' with { type: 'json' }
import { findOrStartService, ROOT_DIR, type RunningService } from '../../src/cli/service.ts'
import { settingsSchema } from '../../src/config.ts'
import { FAULT_NAMES } from '../../src/faults.ts'

const readme = readFileSync(path.join(ROOT_DIR, 'README.md'), 'utf8')
const README_PORT = '8000'

interface Walk {
  command: string
  expected: string[]
}

function readWalks(): Walk[] {
  return [...readme.matchAll(/```console\n\$ (.+)\n([\s\S]*?)```/g)].map(([, command = '', output = '']) => ({
    command,
    expected: output.trimEnd().split('\n')
  }))
}

function mask(text: string): string {
  return text.replace(/\d+(\.\d+)?/g, '#')
}

/** Each expected line stands in the output, in this order; `…` within a line stands for any text. */
function assertOutput(output: string, expected: string[]): void {
  const lines = output.split('\n').map(mask)
  let from = 0
  for (const line of expected.filter((each) => each.trim() !== '…')) {
    const parts = mask(line.trim())
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    const pattern = new RegExp(`^\\s*${parts.join('.*')}\\s*$`)
    const at = lines.findIndex((each, index) => index >= from && pattern.test(each))
    assert.ok(at >= 0, `the README says\n  ${line}\nthe command says\n${output}`)
    from = at + 1
  }
}

describe('the README', () => {
  let service: RunningService
  let directory: string

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'readme-'))
    process.env.FAULTS = 'all'
    process.env.SIMULATED_LATENCY_SCALE = '0.1'
    service = await findOrStartService({
      url: undefined,
      defaultUrl: 'http://127.0.0.1:1',
      onProgress: () => {}
    })
  })

  after(async () => {
    await service.stop()
    rmSync(directory, { recursive: true })
  })

  async function run(command: string): Promise<string> {
    const { port } = new URL(service.url)
    // npm's own lines are not what the README shows, and its files would land in the repository.
    const script = command
      .replaceAll(README_PORT, port)
      .replace('npm run diagnose', `"${process.execPath}" "${ROOT_DIR}/src/cli/diagnose.ts"`)
    const env = { ...process.env, PORT: port, NO_COLOR: '1' }
    const result = await promisify(execFile)('bash', ['-c', script], { cwd: directory, env }).catch(
      (error: { stdout: string }) => error
    )
    return result.stdout
  }

  for (const { command, expected } of readWalks()) {
    test(`tells what this prints: ${command.slice(0, 60)}`, async () => {
      assertOutput(await run(command), expected)
    })
  }

  test('has walks to run', () => assert.ok(readWalks().length >= 3))

  test('names only scripts, files and settings that exist', () => {
    const scripts = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name ?? '')
    for (const name of scripts) assert.ok(name in packageJson.scripts, `there is no script ${name}`)
    const files = [...readme.matchAll(/`((?:src|test|docs)\/[\w./-]+\.\w+)/g)].map(([, file]) => file ?? '')
    for (const file of files) assert.ok(existsSync(path.join(ROOT_DIR, file)), `there is no ${file}`)
    const settings = [...readme.matchAll(/\b([A-Z]+(?:_[A-Z]+)+)\b/g)].map(([, name]) => name ?? '')
    const known = [...Object.keys(settingsSchema.shape), 'PROMPT_BUDGET_TOKENS', 'PLAIN_TEXT']
    for (const name of settings) assert.ok(known.includes(name), `there is no setting ${name}`)
  })

  test('names every planted fault, and only routes that the service has', async () => {
    for (const name of FAULT_NAMES) assert.ok(readme.includes(`\`${name}\``), `${name} is missing`)
    const { paths } = (await (await fetch(new URL('/openapi.json', service.url))).json()) as { paths: object }
    // The document does not list itself.
    const known = new Set(['/docs', '/openapi.json'])
    for (const route of Object.keys(paths)) known.add(route.replace(/\{(\w+)\}/g, ':$1'))
    const named = [...readme.matchAll(/`(?:GET|POST|PUT|DELETE) (\/[\w./:-]*)/g)].map(
      ([, route]) => route ?? ''
    )
    assert.ok(named.length > 10)
    for (const route of named) assert.ok(known.has(route), `there is no route ${route}`)
  })
})
