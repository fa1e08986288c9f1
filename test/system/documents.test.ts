/**
 * The documents tell the truth: what their console blocks show is what the commands print on a real service, and
 * every link, file, script, setting and route that they name is there.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { findOrStartService, ROOT_DIR } from '../../src/cli/service.ts'
import { settingsSchema } from '../../src/config.ts'
import { FAULT_NAMES } from '../../src/faults.ts'
import { assertShows, readConsoleCommands, startConsole } from './console-blocks.ts'

const COMMANDS = ['src/cli/diagnose.ts', 'src/cli/load.ts', 'src/cli/readiness.ts', 'bench/run.ts']

/** With console blocks, each of which is run from a fresh service on. */
const WALKS = ['README.md', 'docs/walk.md', 'docs/failures.md']
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'deploy/README.md',
  ...readdirSync(path.join(ROOT_DIR, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
]

/** Names in capitals that are no settings of the service: constants in quoted source, what the test fills in, tools'. */
const NOT_SETTINGS = new Set([
  'PROMPT_BUDGET_TOKENS',
  'PLAIN_TEXT',
  'WINDOW_WORDS',
  'INDEXED_CHUNKS',
  'DIAGNOSIS_ID',
  'TRACE_ID'
])

function read(document: string): string {
  return readFileSync(path.join(ROOT_DIR, document), 'utf8')
}

function findAll(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = '']) => found)
}

/** Anchors as GitHub makes them from headings. */
function listAnchors(markdown: string): string[] {
  return findAll(markdown, /^#+ (.+)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  )
}

for (const document of WALKS) {
  describe(`${document}, run`, () => {
    const commands = readConsoleCommands(read(document))
    let bash: Awaited<ReturnType<typeof startConsole>>
    before(async () => {
      bash = await startConsole()
    })
    after(() => bash.stop())

    test('has commands', () => assert.ok(commands.length >= 3))
    for (const { command, expected } of commands) {
      test(`shows what this prints: ${command.slice(0, 70)}`, async () => {
        assertShows(await bash.run(command), expected)
      })
    }
  })
}

describe('what the documents name', () => {
  for (const document of DOCUMENTS) {
    const text = read(document)

    test(`${document}: its links lead somewhere`, () => {
      for (const link of findAll(text, /\]\((?!https?:)([^)\s]+)\)/g)) {
        const [file = '', anchor] = link.split('#')
        const target = file === '' ? document : path.join(path.dirname(document), file)
        assert.ok(existsSync(path.join(ROOT_DIR, target)), `there is no ${target}`)
        if (anchor !== undefined) assert.ok(listAnchors(read(target)).includes(anchor), `no anchor ${link}`)
      }
    })

    test(`${document}: its scripts, files and settings are there`, () => {
      for (const name of findAll(text, /npm run ([\w:-]+)/g)) {
        assert.ok(name in packageJson.scripts, `there is no script ${name}`)
      }
      const ownFiles = new Set(findAll(text, /^```\w+ file=(\S+)$/gm))
      for (const file of findAll(text, /`((?:src|test|docs|deploy|bench|\.ci)\/[\w./-]*\w)(?::\d+)?[`/]/g)) {
        assert.ok(ownFiles.has(file) || existsSync(path.join(ROOT_DIR, file)), `there is no ${file}`)
      }
      for (const name of findAll(text, /\b([A-Z]+(?:_[A-Z]+)+)\b/g)) {
        assert.ok(name in settingsSchema.shape || NOT_SETTINGS.has(name), `there is no setting ${name}`)
      }
    })
  }

  test('their routes are there', async () => {
    const service = await findOrStartService({
      url: undefined,
      defaultUrl: 'http://127.0.0.1:1',
      onProgress: () => {}
    })
    try {
      const { paths } = (await (await fetch(new URL('/openapi.json', service.url))).json()) as {
        paths: object
      }
      // Outside of the document: itself, and the page.
      const routes = ['/', '/docs', '/openapi.json', ...Object.keys(paths)].map(
        (route) => new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`)
      )
      for (const document of DOCUMENTS) {
        const named = findAll(read(document), /(?:(?:GET|POST|PUT|DELETE) |localhost:8000)(\/[\w./:-]*)/g)
        for (const route of named) {
          assert.ok(
            routes.some((each) => each.test(route)),
            `${document}: there is no route ${route}`
          )
        }
      }
    } finally {
      await service.stop()
    }
  })

  test('the README names every planted fault', () => {
    for (const name of FAULT_NAMES) assert.ok(read('README.md').includes(`\`${name}\``), `${name} is missing`)
  })
})

describe('what the commands tell of themselves', () => {
  for (const command of COMMANDS) {
    test(`${command} --help tells its options, its exit codes and where to read on`, () => {
      const { status, stdout } = spawnSync(process.execPath, [path.join(ROOT_DIR, command), '--help'], {
        encoding: 'utf8'
      })
      assert.equal(status, 0)
      for (const part of ['Usage: npm run ', '--help', 'Exit code: 0 ', '2 could not run']) {
        assert.ok(stdout.includes(part), `no "${part}" in\n${stdout}`)
      }
      const documents = findAll(stdout, /([\w/]+\.md)\b/g)
      assert.ok(documents.length > 0, `no document is named in\n${stdout}`)
      for (const document of documents) assert.ok(DOCUMENTS.includes(document), `there is no ${document}`)
    })

    test(`${command} says what is wrong with an option it does not know, and exits with 2`, () => {
      const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT_DIR, command), '--nonsense'], {
        encoding: 'utf8'
      })
      assert.equal(status, 2)
      assert.match(stderr, /--nonsense[\s\S]*Usage: npm run /)
    })
  }
})
