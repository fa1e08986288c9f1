/** docs/your-service.md, done: its blocks in an empty folder, run, diagnosed. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import type { Diagnosis } from '../../src/diagnosis/finding.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const text = readFileSync(path.join(ROOT, 'docs/your-service.md'), 'utf8')

let parent: string
let directory: string
let server: ChildProcess

before(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'your-service-'))
  directory = path.join(parent, 'yours')
  mkdirSync(directory)
  symlinkSync(ROOT, path.join(parent, 'span-to-line'))
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'))
  writeFileSync(path.join(directory, 'package.json'), '{"type": "module"}')
})

after(async () => {
  if (server.exitCode === null) {
    server.kill('SIGTERM')
    await once(server, 'exit')
  }
  rmSync(parent, { recursive: true })
})

test('the blocks make a service whose slow line is named', async () => {
  const shellBlocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  const [copy = '', start = ''] = shellBlocks
  execFileSync('bash', ['-ec', copy], { cwd: directory })
  const files = [...text.matchAll(/```ts file=(\S+)\n([\s\S]*?)```/g)]
  for (const [, file = '', source = ''] of files) writeFileSync(path.join(directory, file), source)

  const [, ...args] = start.trim().split(' ')
  server = spawn(process.execPath, args, {
    cwd: directory,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  assert.ok(server.stdout)
  const [line] = await once(server.stdout, 'data')
  const url = String(line).trim()

  const diagnosing = fetch(`${url}/diagnosis`, { method: 'POST' })
  const traffic = (async function sendTraffic() {
    // Until the diagnosis has what it needs: machines differ.
    let isOver = false
    diagnosing.finally(() => {
      isOver = true
    })
    while (!isOver) for (const size of [200, 400, 800]) await fetch(`${url}/orders?size=${size}`)
  })()
  const diagnosis = (await (await diagnosing).json()) as Diagnosis
  await traffic

  const [finding] = diagnosis.findings
  const hotLine =
    1 +
    readFileSync(path.join(directory, 'src/orders.ts'), 'utf8')
      .split('\n')
      .findIndex((each) => each.includes('indexOf'))
  assert.deepEqual(
    [finding?.kind, finding?.severity, finding?.span, finding?.function, finding?.file, finding?.line],
    ['cpu', 'fault', 'orders.price', 'priceOrders', 'src/orders.ts', hotLine]
  )
})
