/** Runs the `$ command` lines of a document's console blocks, and compares what they print with what it shows. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { findOrStartService, ROOT_DIR } from '../../src/cli/service.ts'

export interface ConsoleCommand {
  command: string
  /** The lines that the document shows below it. */
  expected: string[]
}

/** The port that the documents write. */
const PORT_IN_DOCUMENTS = '8000'

/** What a reader puts in by hand: the last one that was printed before. */
const PLACEHOLDERS = [
  { word: 'DIAGNOSIS_ID', printed: /\bdiagnosis ([0-9a-f-]{36})/g },
  { word: 'TRACE_ID', printed: /"trace_id":"([0-9a-f]{32})"/g }
]

/** The model answers faster; and a busy machine, which samples cost more on, is not to end the profiler. */
const SETTINGS = { FAULTS: 'all', SIMULATED_LATENCY_SCALE: '0.1', DD_PROFILING_MAX_TIME_USAGE_PCT: '100' }

/** Every command of the ```console blocks in `markdown`, in order; a line that ends with `\` goes on in the next. */
export function readConsoleCommands(markdown: string): ConsoleCommand[] {
  const blocks = [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  return blocks.flatMap((block) =>
    [...block.matchAll(/^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, command = '', output = '']) => ({
      command,
      expected: output.trimEnd().split('\n')
    }))
  )
}

/** A service of its own, with every fault on and an empty directory to write into. */
export async function startConsole() {
  Object.assign(process.env, SETTINGS)
  const directory = mkdtempSync(path.join(tmpdir(), 'console-'))
  const service = await findOrStartService({
    url: undefined,
    defaultUrl: 'http://127.0.0.1:1',
    onProgress: () => {}
  })
  const { port } = new URL(service.url)
  const env = { ...process.env, PORT: port, NO_COLOR: '1' }
  let printed = ''

  /** @returns what the command prints, whatever its exit code */
  async function run(command: string): Promise<string> {
    const script = fillIn(command, printed)
      .replaceAll(PORT_IN_DOCUMENTS, port)
      // npm's own lines are not what the documents show, and its files would land in the repository.
      .replace(/npm run (\w+)(?: --(?= ))?/, `"${process.execPath}" "${ROOT_DIR}/src/cli/$1.ts"`)
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: directory, env }).catch(
      (error: { stdout: string }) => error
    )
    printed += stdout
    return stdout
  }

  async function stop(): Promise<void> {
    await service.stop()
    rmSync(directory, { recursive: true })
  }

  return { run, stop }
}

function fillIn(command: string, printed: string): string {
  return PLACEHOLDERS.reduce((text, placeholder) => {
    if (!text.includes(placeholder.word)) return text
    const value = [...printed.matchAll(placeholder.printed)].at(-1)?.[1]
    assert.ok(value, `nothing printed a ${placeholder.word} before\n  ${command}`)
    return text.replaceAll(placeholder.word, value)
  }, command)
}

/** Each expected line stands in the output, in this order; `…` within a line stands for any text. */
export function assertShows(output: string, expected: readonly string[]): void {
  const lines = output.split('\n').map(mask)
  let from = 0
  for (const line of expected.filter((each) => each.trim() !== '…')) {
    const parts = mask(line.trim())
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    const pattern = new RegExp(`^\\s*${parts.join('.*')}\\s*$`)
    const at = lines.findIndex((each, index) => index >= from && pattern.test(each))
    assert.ok(at >= 0, `the document shows\n  ${line}\nthe command prints\n${output}`)
    from = at + 1
  }
}

/** Every figure becomes `#`, but for the number of a source line; and a column is as wide as its longest figure. */
function mask(text: string): string {
  return text.replace(/(?<!\.ts:|"line":|\d)\d+(,\d{3})*(\.\d+)?/g, '#').replace(/ +/g, ' ')
}
