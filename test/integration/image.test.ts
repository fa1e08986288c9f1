/**
 * The image without Docker: its files, put together as the Dockerfile does, serve queries from a tree that nobody
 * can write, as a user who owns nothing. Needs npm and its registry.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { type AnswerBody, sendJson } from '../service.ts'
import { readCommand, readDockerfile } from './dockerfile.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
const instructions = readDockerfile(path.join(ROOT, 'Dockerfile'))
const build = instructions.filter(({ stage }) => stage === 0)
const image = instructions.filter(({ stage }) => stage === 1)

function textOf(name: string): string {
  return image.find((instruction) => instruction.name === name)?.text ?? ''
}

/** Only root can become another user; anybody else owns the files, but may not write them either. */
const user = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {}

let directory: string
let environment: Record<string, string>
let server: ChildProcess | undefined

before(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'image-'))
  const app = path.join(directory, 'app')
  const bin = path.join(directory, 'bin')
  for (const each of [app, bin]) mkdirSync(each)
  copyFileSync(process.execPath, path.join(bin, 'node'))
  environment = {
    PATH: `${bin}:${process.env.PATH}`,
    ...Object.fromEntries(
      textOf('ENV')
        .split(' ')
        .map((pair) => pair.split('='))
    ),
    HOST: '127.0.0.1',
    PORT: String(await findFreePort())
  }
  for (const { name, text } of build) {
    if (name === 'COPY') copyInto(app, text)
    if (name === 'RUN') runIn(app, readCommand(text))
  }
  execFileSync('chmod', ['-R', 'a-w', app])
  chmodSync(directory, 0o755)
})

after(() => {
  server?.kill('SIGKILL')
  execFileSync('chmod', ['-R', 'u+w', directory])
  rmSync(directory, { recursive: true })
})

function copyInto(app: string, text: string): void {
  const paths = text.split(' ')
  const target = path.join(app, paths.pop() ?? '')
  for (const source of paths) {
    const isInto = text.endsWith('/')
    cpSync(path.join(ROOT, source), isInto ? path.join(target, source) : target, { recursive: true })
  }
}

function runIn(app: string, [command = '', ...args]: string[]): void {
  execFileSync(command, args, { cwd: app, stdio: ['ignore', 'ignore', 'inherit'] })
}

async function findFreePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as { port: number }
  listener.close()
  return port
}

/** A process in the image: its environment, its directory, its user. */
function start(command: string[]) {
  const [file = '', ...args] = command
  return spawn(file, args, {
    cwd: path.join(directory, 'app'),
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...user
  })
}

test("its Node is the project's, its command that of npm start without npm", () => {
  const [, nodeImage] = /^NODE_IMAGE=node:([\d.]+)-/.exec(instructions[0]?.text ?? '') ?? []
  assert.equal(nodeImage, manifest.devDependencies.node)
  assert.equal(readCommand(textOf('CMD')).join(' '), manifest.scripts.start)
})

test('.dockerignore lets through what is copied, and nothing else', () => {
  const ignore = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8').split('\n')
  const copied = build
    .filter(({ name }) => name === 'COPY')
    .flatMap(({ text }) => text.split(' ').slice(0, -1))
  assert.ok(ignore.includes('*'))
  assert.deepEqual(
    ignore.filter((line) => line.startsWith('!')).toSorted(),
    copied.map((each) => `!${each}`).toSorted()
  )
})

test('it starts from the database in the image, is healthy, answers, and ends on SIGTERM', async () => {
  const running = start(readCommand(textOf('CMD')))
  server = running
  let stderr = ''
  const isReady = new Promise<void>((resolve, reject) => {
    running.stderr.on('data', (chunk) => {
      stderr += chunk
      if (stderr.includes('is ready on')) resolve()
    })
    running.once('exit', (code) => reject(new Error(`ended with ${code}: ${stderr}`)))
  })
  await isReady
  assert.doesNotMatch(stderr, /creating the embedded database/)

  const health = start(readCommand(textOf('HEALTHCHECK')))
  assert.deepEqual(await once(health, 'exit'), [0, null])

  const { status, body } = await sendJson<AnswerBody>(`http://127.0.0.1:${environment.PORT}/query`, 'POST', {
    query: 'What are the compliance requirements?'
  })
  assert.equal(status, 200)
  assert.ok(body.num_results > 0)

  running.kill('SIGTERM')
  assert.deepEqual(await once(running, 'exit'), [0, null])
  const unhealthy = start(readCommand(textOf('HEALTHCHECK')))
  assert.deepEqual(await once(unhealthy, 'exit'), [1, null])
})
