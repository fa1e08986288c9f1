import type { PoolClient } from 'pg'
import type { Database } from '../database/database.ts'
import type { FaultSwitches } from '../faults.ts'
import type { Chunk } from './types.ts'

/** Documents an answer may rest on, at most. */
const MAX_DOCUMENTS = 50

/** A document whose rank is below this share of the best one's only happens to hold a word of the question. */
const MIN_SHARE_OF_BEST_RANK = 0.7

/** Words of a question that are looked for; the 150 that fit into a thousand characters would take a second. */
const MAX_WORDS = 30

/**
 * Any word of the question may match, since a whole sentence rarely has all its words in one document; how many
 * do, and whether in the title, is what the rank is for. Were it not MATERIALIZED, the question would be parsed
 * again for each document.
 */
const BEST_DOCUMENTS = `
  WITH question AS MATERIALIZED (
    SELECT CAST(array_to_string((string_to_array(lexemes, ' & '))[:${MAX_WORDS}], ' | ') AS tsquery) AS words
    FROM CAST(plainto_tsquery('english', $1) AS text) AS lexemes
  ), matches AS (
    SELECT id, title, ts_rank(search, words) AS score
    FROM rag_demo.documents, question
    WHERE search @@ words
  )
  SELECT id, title, score
  FROM matches
  WHERE score >= ${MIN_SHARE_OF_BEST_RANK} * (SELECT max(score) FROM matches)
  ORDER BY score DESC, id
  LIMIT ${MAX_DOCUMENTS}`

const LIST_OF_BEST_DOCUMENTS = `
  SELECT id, title, score FROM (${BEST_DOCUMENTS}) AS best ORDER BY score DESC, id`

/** The same chunks twice: the foreign key document_id has no index in the first table, and one in the second. */
const CHUNKS = 'rag_demo.chunks' // fault: missing-index
const INDEXED_CHUNKS = 'rag_demo.indexed_chunks'

function chunksOfOneDocument(table: string): string {
  return `SELECT id, position, text FROM ${table} WHERE document_id = $1 ORDER BY position`
}

function chunksOfBestDocuments(table: string): string {
  return `
  SELECT chunks.id, best.id AS "documentId", best.title, chunks.position, chunks.text, best.score
  FROM (${BEST_DOCUMENTS}) AS best
  JOIN ${table} AS chunks ON chunks.document_id = best.id
  ORDER BY best.score DESC, best.id, chunks.position`
}

type DocumentRow = Pick<Chunk, 'title' | 'score'> & { id: number }
type ChunkRow = Pick<Chunk, 'id' | 'position' | 'text'>

/**
 * All chunks of the best matching documents (50 at most), best document first, equal ranks by id, chunks in the
 * order of the text. Empty when no word of the query occurs in any document.
 */
export function retrieve(
  database: Database,
  query: string,
  faults: Pick<FaultSwitches, 'n-plus-one-queries' | 'missing-index'>,
  signal?: AbortSignal
): Promise<Chunk[]> {
  // PostgreSQL refuses a text with a NUL in it, and a caller's JSON may hold one.
  const text = query.replaceAll('\0', ' ')
  const table = faults['missing-index'] ? CHUNKS : INDEXED_CHUNKS
  const retrieveWith = faults['n-plus-one-queries'] ? retrieveOneByOne : retrieveByJoin
  return database.withClient((client) => retrieveWith(client, text, table), signal)
}

/** One round trip for the documents, then one more for each of them, one after another. */
async function retrieveOneByOne(client: PoolClient, query: string, table: string): Promise<Chunk[]> {
  const documents = await client.query<DocumentRow>(LIST_OF_BEST_DOCUMENTS, [query])
  const chunksOfDocument = chunksOfOneDocument(table)
  const chunks: Chunk[] = []
  for (const { id: documentId, title, score } of documents.rows) {
    const { rows } = await client.query<ChunkRow>(chunksOfDocument, [documentId]) // fault: n-plus-one-queries
    for (const { id, position, text } of rows) chunks.push({ id, documentId, title, position, text, score })
  }
  return chunks
}

/** Everything in one round trip. */
async function retrieveByJoin(client: PoolClient, query: string, table: string): Promise<Chunk[]> {
  const { rows } = await client.query<Chunk>(chunksOfBestDocuments(table), [query])
  return rows
}
