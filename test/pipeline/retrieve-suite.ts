import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import sampleData from '../../example_data.json' with { type: 'json' }
import type { Database } from '../../src/database/database.ts'
import { retrieve } from '../../src/pipeline/retrieve.ts'
import type { Chunk } from '../../src/pipeline/types.ts'
import { recordStatements } from '../database/connections.ts'

const fixed = { 'n-plus-one-queries': false, 'missing-index': false }
const oneByOne = { ...fixed, 'n-plus-one-queries': true }
const unindexed = { ...fixed, 'missing-index': true }
const naive = { 'n-plus-one-queries': true, 'missing-index': true }

const FIFTY_DOCUMENTS = 'What uptime does the SLA promise, and when are service credits due?'

function countDocuments(chunks: Chunk[]): number {
  return new Set(chunks.map((chunk) => chunk.documentId)).size
}

/** What retrieve promises, on any engine. */
export function testRetrieve(engine: string, open: () => Promise<Database>): void {
  suite(`retrieve on ${engine}`, () => {
    let database: Database
    before(async () => {
      database = await open()
    })
    after(() => database.close())

    test('every variant finds the same, for every sample query', async () => {
      for (const query of sampleData.sample_queries) {
        const chunks = await retrieve(database, query, fixed)
        for (const faults of [oneByOne, unindexed]) {
          assert.deepEqual(await retrieve(database, query, faults), chunks)
        }
      }
    })

    test('a sample query finds 10 to 50 documents of 2 to 40 chunks, and the counts spread fivefold', async () => {
      const documents: number[] = []
      const candidates: number[] = []
      for (const query of sampleData.sample_queries) {
        const chunks = await retrieve(database, query, fixed)
        const byDocument = Map.groupBy(chunks, (chunk) => chunk.documentId)
        for (const { length } of byDocument.values()) assert.ok(length >= 2 && length <= 40)
        documents.push(byDocument.size)
        candidates.push(chunks.length)
      }
      const fewest = Math.min(...documents)
      assert.ok(fewest >= 10 && fewest < 20 && Math.max(...documents) === 50, documents.join(', '))
      assert.ok(Math.max(...candidates) >= 5 * Math.min(...candidates), candidates.join(', '))
    })

    test('the best document is of the policy that answers the question', async () => {
      const expected = [
        ['How long do we keep customer records before they are deleted?', 'Records Retention Policy'],
        ['How do we answer a data subject access request under GDPR?', 'GDPR Data Subject Rights Handbook'],
        ['Is multi-factor authentication mandatory for administrators?', 'Authentication Standard'],
        ['how often do you check who has access to what', 'User Access Review Standard']
      ] as const
      for (const [query, title] of expected) {
        const [best] = await retrieve(database, query, fixed)
        assert.ok(best?.title.startsWith(title), `${query} → ${best?.title}`)
      }
    })

    test('best document first, equal ranks by id, chunks whole and in the order of the text', async () => {
      const chunks = await retrieve(database, 'What are the compliance requirements?', fixed)
      for (const [index, chunk] of chunks.slice(1).entries()) {
        const previous = chunks[index] as Chunk
        if (chunk.documentId === previous.documentId) {
          assert.equal(chunk.position, previous.position + 1)
          assert.equal(chunk.score, previous.score)
        } else {
          assert.equal(chunk.position, 0)
          const isLower = chunk.score < previous.score
          assert.ok(isLower || (chunk.score === previous.score && chunk.documentId > previous.documentId))
        }
      }
    })

    test('one statement for each document and one for their list, or one in all', async () => {
      for (const query of sampleData.sample_queries.slice(0, 3)) {
        const statements: string[] = []
        const recording = recordStatements(database, (text) => statements.push(text))
        const chunks = await retrieve(recording, query, oneByOne)
        assert.equal(statements.length, 1 + countDocuments(chunks))
        assert.equal(new Set(statements).size, 2)

        statements.length = 0
        await retrieve(recording, query, fixed)
        assert.equal(statements.length, 1)
      }
    })

    test('without the index all chunks are read, with it those of the documents', async () => {
      for (const [faults, scans] of [
        [naive, /Seq Scan on chunks/],
        [unindexed, /Seq Scan on chunks/],
        [oneByOne, /Index Scan using indexed_chunks_document_id/],
        [fixed, /Index Scan using indexed_chunks_document_id/]
      ] as const) {
        assert.match(await explainLastStatement(database, faults), scans)
      }
    })

    test('the index, and one JOIN instead of 51 SELECTs, save time each, together tenfold', async (t) => {
      const ms = await measureFastestMs(database, [naive, oneByOne, fixed])
      const [slowest = 0, indexed = 0, fastest = 0] = ms
      t.diagnostic(
        `${engine}: 1 + 50 SELECTs ${slowest.toFixed(1)} ms, with the index ${indexed.toFixed(1)} ms, ` +
          `one JOIN ${fastest.toFixed(1)} ms: ${(slowest / fastest).toFixed(0)} × faster`
      )
      assert.ok(slowest > 1.5 * indexed && indexed > 1.5 * fastest && slowest > 10 * fastest, ms.join(', '))
    })

    test('words past the thirtieth are not looked for', async () => {
      const words = Array.from({ length: 30 }, (_, index) => `word${index}`).join(' ')
      assert.ok((await retrieve(database, `encryption ${words}`, fixed)).length > 0)
      assert.deepEqual(await retrieve(database, `${words} encryption`, fixed), [])
    })

    test('what nothing matches finds nothing, in both variants', async () => {
      for (const query of ['zyzzyva', 'what is the', '', ' ', '?!', '\0', "' & | <-> ! :* \\ ((", '😀']) {
        assert.deepEqual(await retrieve(database, query, fixed), [])
        assert.deepEqual(await retrieve(database, query, naive), [])
      }
    })

    test('operators and markup in a question are only words', async () => {
      const listIds = (chunks: Chunk[]) => chunks.map(({ id }) => id)
      const plain = listIds(await retrieve(database, 'backup restore', fixed))
      assert.ok(plain.length > 0)
      for (const query of [
        'backup & restore',
        '!backup -restore',
        "backup') OR 1=1 --restore",
        'backup\0restore'
      ]) {
        assert.deepEqual(listIds(await retrieve(database, query, fixed)), plain, query)
      }
    })

    test('fifty at once, with large parameters between them, get their own rows each', async () => {
      const alone = new Map<string, Chunk[]>()
      for (const query of sampleData.sample_queries) alone.set(query, await retrieve(database, query, fixed))
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const query = sampleData.sample_queries[index % alone.size] as string
          const chunks = retrieve(database, query, index % 2 === 0 ? oneByOne : fixed)
          const large = String(index).padStart(200_000 + index, 'x')
          assert.equal(await echo(database, large), large)
          assert.deepEqual(await chunks, alone.get(query))
        })
      )
    })
  })
}

/** The plan of the last statement of a retrieval: where one follows another, of one document's chunks. */
async function explainLastStatement(database: Database, faults: typeof fixed): Promise<string> {
  let last: { text: string; values?: unknown[] | undefined } = { text: '' }
  await retrieve(
    recordStatements(database, (text, values) => {
      last = { text, values }
    }),
    FIFTY_DOCUMENTS,
    faults
  )
  const { rows } = await database.withClient((client) => client.query(`EXPLAIN ${last.text}`, last.values))
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

/** Of each variant the fastest of some runs, taken in turns, so that a busy machine holds all of them up. */
async function measureFastestMs(database: Database, variants: (typeof fixed)[]): Promise<number[]> {
  const fastest = variants.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < 4; round++) {
    for (const [index, faults] of variants.entries()) {
      const startMs = performance.now()
      await retrieve(database, FIFTY_DOCUMENTS, faults)
      fastest[index] = Math.min(fastest[index] as number, performance.now() - startMs)
    }
  }
  return fastest
}

async function echo(database: Database, text: string): Promise<string | undefined> {
  const { rows } = await database.withClient((client) =>
    client.query<{ text: string }>('SELECT $1 AS text', [text])
  )
  return rows[0]?.text
}
