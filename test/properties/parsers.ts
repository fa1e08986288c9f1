/** What holds for every input of our parsers: none throws what nobody expects, and none lets a secret or a value out. */
import assert from 'node:assert/strict'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { Profile } from 'pprof-format'
import { ConfigError, parseConfig, settingsSchema } from '../../src/config.ts'
import { decodeCpuSamples } from '../../src/evidence/cpu-samples.ts'
import { createLineIndex } from '../../src/evidence/line-index.ts'
import { exportCpuProfile } from '../../src/evidence/pprof-export.ts'
import { readSourceRanges } from '../../src/evidence/source-ranges.ts'
import { mentionsTable, readComparisons, readSortKey } from '../../src/evidence/sql/conditions.ts'
import { normalizeSql } from '../../src/evidence/sql/normalize.ts'
import { describePlan, readExplained } from '../../src/evidence/sql/plan.ts'
import { readPlan } from '../../src/evidence/sql/plan-issues.ts'
import { ChatError, parseChatRequest } from '../../src/model/chat-request.ts'
import { redactUrl } from '../../src/telemetry/redaction.ts'
import { makeSample } from '../fixtures/spans.ts'

export interface ParserProperty {
  name: string
  property: fc.IProperty<unknown> | fc.IAsyncProperty<unknown>
}

/** Occurs nowhere else, so that finding it means that it leaked. */
const SECRET = 'hunter2xyzzy'

const anyText = fc.string({ unit: 'binary', maxLength: 300 })

/** Runs of what the grammar is made of: far more of it gets past the first token than of random characters. */
function textOf(...parts: string[]): fc.Arbitrary<string> {
  const part = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...parts) }, fc.string({ maxLength: 4 }))
  return fc.array(part, { maxLength: 60 }).map((all) => all.join(''))
}

const sql = textOf(
  ...[
    'SELECT ',
    'FROM t',
    ' WHERE ',
    ' IN (',
    'VALUES ',
    '(',
    ')',
    ', ',
    '?',
    "'",
    "''",
    '"',
    '$1',
    '$$',
    '$a$'
  ],
  ...['--', '\n', '/*', '*/', "E'", '\\', '12', '1e9', '.5', ' AND ', ' OR ', ' = ', 'ARRAY[', ']', ';']
)
const condition = textOf(
  '(',
  ')',
  'o.a',
  'o."b c"',
  ' = ',
  ' ~~ ',
  ' AND ',
  ' OR ',
  "'x'",
  "'",
  '::text',
  '5',
  'lower('
)
const source = textOf(
  ...[
    'function f(',
    ') {',
    '}',
    'for (const a of b) ',
    'while (x) ',
    'class A {',
    'get b() ',
    '=> ',
    'const c = '
  ],
  ...['#p', '`', '${', '//', '/*', '\n', 'async ', '?.', ': string', '<T>', '@', '(', ')', ';']
)

const planNode = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.record(
    {
      'Node Type': fc.oneof(fc.constantFrom('Seq Scan', 'Nested Loop', 'Sort', 'Hash Join'), anyText),
      'Relation Name': anyText,
      Schema: anyText,
      Alias: anyText,
      Filter: fc.oneof(condition, anyText),
      'Index Cond': condition,
      'Sort Key': fc.array(condition, { maxLength: 3 }),
      'Plan Rows': fc.double(),
      'Actual Rows': fc.double(),
      'Actual Loops': fc.double(),
      'Rows Removed by Filter': fc.nat(),
      Plans: fc.array(tie('node'), { maxLength: 2, depthIdentifier: 'plan' })
    },
    { requiredKeys: [] }
  )
})).node

const settingText = fc.oneof(
  anyText,
  fc.constantFrom('true', '0', '1e3', 'NaN', '-1', 'http://u:p@h', 'a=b', 'all', 'gpt-4=1/2', '*'),
  fc.integer().map(String)
)
const environment = fc.dictionary(fc.constantFrom(...Object.keys(settingsSchema.shape)), settingText, {
  maxKeys: 12
})

const frame = fc.record({
  functionName: anyText,
  file: fc.oneof(anyText, fc.constantFrom('/a/b.ts', 'node:fs', '', 'file:///a%20b.ts')),
  startLine: fc.nat()
})
const cpuSamples = fc.array(
  fc
    .record({ frames: fc.array(frame, { maxLength: 6 }), wallMs: fc.nat(1000), cpuMs: fc.nat(1000) })
    .map((sample) => makeSample(0, sample)),
  { maxLength: 12 }
)

function exportSamples(samples: ReturnType<typeof makeSample>[]): Profile {
  const evidence = { startMs: 0, endMs: 1000, spans: [], droppedSpans: 0, samples, plans: [], pauseMs: 0 }
  return Profile.decode(gunzipSync(exportCpuProfile({ ...evidence, lines: createLineIndex([]) })))
}

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, value) => total + value, 0)
}

export const parserProperties: ParserProperty[] = [
  {
    name: 'SQL: any text has a normal form, which stays as it is',
    property: fc.property(fc.oneof(sql, anyText), (text) => {
      const normal = normalizeSql(text)
      assert.equal(normalizeSql(normal), normal)
    })
  },
  {
    name: 'SQL: no literal is left in the normal form, however it is quoted',
    property: fc.property(
      fc.constantFrom("'@'", "E'\\'@'", "x'@'", '$$@$$', '$a$@$a$', "'a''@'"),
      anyText,
      (quoted, tail) => {
        const literal = quoted.replace('@', () => SECRET)
        assert(!normalizeSql(`SELECT a FROM t WHERE b = ${literal} AND c = ${tail}`).includes(SECRET))
      }
    )
  },
  {
    name: 'plans: any condition is read, or not, but never fails',
    property: fc.property(
      fc.oneof(condition, anyText),
      fc.oneof(fc.constant('o'), anyText),
      (text, alias) => {
        readComparisons(text, alias)
        readSortKey(text, alias)
        mentionsTable(text, alias)
      }
    )
  },
  {
    name: 'plans: any tree of nodes is read and described in lines',
    property: fc.property(planNode, (node) => {
      const plan = readExplained([{ Plan: node }])
      readPlan(plan)
      assert(describePlan(plan).length > 0)
    })
  },
  {
    name: 'settings: any environment gives a config or a list of faults, and never a secret',
    property: fc.property(
      environment,
      fc.constantFrom('ADMIN_TOKEN', 'OPENAI_API_KEY', 'DD_API_KEY'),
      (env, name) => {
        const secrets = { [name]: SECRET, DATABASE_URL: `${env.DATABASE_URL ?? 'mysql'}://u:${SECRET}@h/d` }
        try {
          const { config, warnings } = parseConfig({ ...env, ...secrets })
          assert(!JSON.stringify([config, warnings]).includes(SECRET))
        } catch (error) {
          assert(error instanceof ConfigError, String(error))
          assert(!error.message.includes(SECRET), error.message)
        }
      }
    )
  },
  {
    name: 'source text: the ranges of any text lie within it',
    property: fc.property(fc.oneof(source, anyText), (text) => {
      const { functions, loops } = readSourceRanges(text)
      const lineCount = text.split(/\r\n|[\n\r\u2028\u2029]/).length
      for (const { startLine, endLine } of [...functions, ...loops]) {
        assert(startLine >= 1 && startLine <= endLine && endLine <= lineCount, `${startLine}-${endLine}`)
      }
    })
  },
  {
    name: 'pprof: folding loses no time, and every frame is found again',
    property: fc.property(cpuSamples, (samples) => {
      const profile = exportSamples(samples)
      const kept = samples.filter(({ wallMs }) => wallMs > 0)
      assert.equal(sum(profile.sample.map(({ value }) => Number(value[0]))), kept.length)
      assert.equal(
        sum(profile.sample.map(({ value }) => Number(value[1]))),
        sum(kept.map(({ wallMs }) => wallMs * 1e6))
      )
      const locations = new Set(profile.location.map(({ id }) => Number(id)))
      for (const id of profile.sample.flatMap(({ locationId }) => locationId))
        assert(locations.has(Number(id)))
    })
  },
  {
    name: 'pprof: any profile is decoded, whatever its files are called',
    property: fc.property(cpuSamples, (samples) => {
      for (const { frames } of decodeCpuSamples(exportSamples(samples))) assert(Array.isArray(frames))
    })
  },
  {
    name: 'addresses: the value of a sensitive name is gone, whatever stands around it',
    property: fc.property(
      fc.webUrl(),
      fc.constantFrom('token', 'api_key', 'accessToken', 'x-password'),
      anyText,
      (url, name, value) => {
        assert(!redactUrl(`${url}?${encodeURIComponent(value)}=1&${name}=${SECRET}`).includes(SECRET))
        redactUrl(value)
      }
    )
  },
  {
    name: 'chat completions: any body is read or refused',
    property: fc.property(
      fc.oneof(
        anyText,
        fc.json(),
        fc.object().map((value) => JSON.stringify(value))
      ),
      (body) => {
        try {
          parseChatRequest(body)
        } catch (error) {
          assert(error instanceof ChatError, String(error))
        }
      }
    )
  }
]
