/** The service as a process of its own, as `npm start` runs it. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { isRunning } from './processes.ts'
import { until } from './service.ts'

const root = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** The arguments of `npm start`, whose paths are made absolute: it runs where no .env lies. */
const startArguments: string[] = scripts.start
  .split(' ')
  .slice(1)
  .map((argument: string) => argument.replace(/^(\.\/)?src\//, `${root}/src/`))

const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
})

export interface StartedServer {
  child: ChildProcess
  url: string
  /** All it has written so far. */
  output(): { stdout: string; stderr: string }
}

/** Runs `npm start`'s command on a free port, without faults and latency unless `env` says otherwise; killed with its test file. */
export function spawnServer(env: Record<string, string>, nodeArguments: string[] = []) {
  const child = spawn(process.execPath, [...nodeArguments, ...startArguments], {
    cwd: mkdtempSync(join(tmpdir(), 'server-')),
    env: { PATH: process.env.PATH, PORT: '0', FAULTS: 'none', SIMULATED_LATENCY_SCALE: '0', ...env },
    // A process group of its own, which Ctrl-C reaches as a whole.
    detached: true
  })
  children.push(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  return { child, output: () => ({ stdout, stderr }) }
}

/** As spawnServer, once it is ready. */
export async function startServer(
  env: Record<string, string> = {},
  nodeArguments: string[] = []
): Promise<StartedServer> {
  const { child, output } = spawnServer(env, nodeArguments)
  await until(() => output().stderr.includes('Try next:') || child.exitCode !== null)
  const url = /is ready on (\S+)/.exec(output().stderr)?.[1]
  assert(url, output().stderr)
  return { child, url, output }
}

/** Process ids of all that descends from `pid`. */
export function descendantsOf(pid: number | undefined): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number))
  const childrenOf = (parent: number) =>
    pairs.flatMap(([id = 0, parentId]) => (parentId === parent ? [id] : []))
  const found = pid === undefined ? [] : childrenOf(pid)
  for (const each of found) found.push(...childrenOf(each))
  return found
}

export async function untilGone(pids: number[]): Promise<void> {
  await until(() => !pids.some(isRunning))
}
