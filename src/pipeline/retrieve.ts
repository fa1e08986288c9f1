import type { PoolClient } from 'pg'
import type { Database } from '../database/database.ts'
import type { Chunk } from './types.ts'

/** Documents an answer may rest on, at most. */
const MAX_DOCUMENTS = 50

/**
 * Any word of the question may match, since a whole sentence rarely has all its words in one document; how many
 * do, and whether in the title, is what the rank is for. `1` divides it by the logarithm of the length.
 */
const BEST_DOCUMENTS = `
  SELECT id, title, ts_rank_cd(search, words, 1) AS score
  FROM rag_demo.documents, CAST(replace(plainto_tsquery('english', $1)::text, ' & ', ' | ') AS tsquery) AS words
  WHERE search @@ words
  ORDER BY score DESC, id
  LIMIT ${MAX_DOCUMENTS}`

const CHUNKS_OF_ONE_DOCUMENT = `
  SELECT id, position, text FROM rag_demo.chunks WHERE document_id = $1 ORDER BY position`

const CHUNKS_OF_BEST_DOCUMENTS = `
  SELECT chunks.id, best.id AS "documentId", best.title, chunks.position, chunks.text, best.score
  FROM (${BEST_DOCUMENTS}) AS best
  JOIN rag_demo.chunks ON chunks.document_id = best.id
  ORDER BY best.score DESC, best.id, chunks.position`

type DocumentRow = Pick<Chunk, 'title' | 'score'> & { id: number }
type ChunkRow = Pick<Chunk, 'id' | 'position' | 'text'>

/**
 * All chunks of the best matching documents (50 at most), best document first, equal ranks by id, chunks in the
 * order of the text. Empty when no word of the query occurs in any document.
 */
export function retrieve(
  database: Database,
  query: string,
  faults: { readonly 'n-plus-one-queries': boolean }
): Promise<Chunk[]> {
  // PostgreSQL refuses a text with a NUL in it, and a caller's JSON may hold one.
  const text = query.replaceAll('\0', ' ')
  const retrieveWith = faults['n-plus-one-queries'] ? retrieveOneByOne : retrieveByJoin
  return database.withClient((client) => retrieveWith(client, text))
}

/** One round trip for the documents, then one more for each of them, one after another. */
async function retrieveOneByOne(client: PoolClient, query: string): Promise<Chunk[]> {
  const documents = await client.query<DocumentRow>(BEST_DOCUMENTS, [query])
  const chunks: Chunk[] = []
  for (const { id: documentId, title, score } of documents.rows) {
    const { rows } = await client.query<ChunkRow>(CHUNKS_OF_ONE_DOCUMENT, [documentId]) // fault: n-plus-one-queries
    for (const { id, position, text } of rows) chunks.push({ id, documentId, title, position, text, score })
  }
  return chunks
}

/** Everything in one round trip. */
async function retrieveByJoin(client: PoolClient, query: string): Promise<Chunk[]> {
  const { rows } = await client.query<Chunk>(CHUNKS_OF_BEST_DOCUMENTS, [query])
  return rows
}
