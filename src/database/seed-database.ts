import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { generateDocuments, type SeedDocument } from './seed.ts'

/** What seeding needs of a connection; the embedded database has it as it is, `pg` through a small adapter. */
export interface SeedConnection {
  /** Runs one or more statements without parameters. */
  exec(sql: string): Promise<unknown>
  query(sql: string, parameters: unknown[]): Promise<{ rows: unknown[] }>
}

export type OnProgress = (step: string) => void

/** Key of the advisory lock, a number of our own choosing: two processes that seed at once take turns. */
const SEED_LOCK_KEY = 7_240_917
const BATCH_DOCUMENTS = 500

const SCHEMA_SQL = readFileSync(new URL('schema.sql', import.meta.url), 'utf8')
const INDEX_SQL = readFileSync(new URL('index-documents.sql', import.meta.url), 'utf8')

const INSERT_DOCUMENTS = `
  INSERT INTO rag_demo.documents (id, title)
  SELECT id, title FROM json_to_recordset($1::json) AS seed (id integer, title text)`
const INSERT_CHUNKS = `
  INSERT INTO rag_demo.chunks (id, document_id, position, text)
  SELECT id, document_id, position, text FROM json_to_recordset($1::json)
    AS seed (id integer, document_id integer, position integer, text text)`

/** Hash of everything the seeded tables follow from: the sample data, the code that multiplies it, the SQL. */
export function seedVersion(): string {
  const hash = createHash('sha256').update(SCHEMA_SQL).update(INDEX_SQL)
  for (const path of ['../../example_data.json', 'seed.ts', 'seed-database.ts']) {
    hash.update(readFileSync(new URL(path, import.meta.url)))
  }
  return hash.digest('hex').slice(0, 16)
}

/**
 * Leaves the schema `rag_demo` with this version's tables and rows. Does nothing where they already are; else
 * replaces them in one transaction, so that a reader sees the old rows or the new ones and never a part.
 */
export async function ensureSeeded(connection: SeedConnection, onProgress: OnProgress): Promise<void> {
  const version = seedVersion()
  if ((await readSeededVersion(connection)) === version) return
  // Held outside the transaction: one that began before the wait would go on not seeing a schema made meanwhile.
  await connection.query('SELECT pg_advisory_lock($1)', [SEED_LOCK_KEY])
  try {
    if ((await readSeededVersion(connection)) !== version) await seed(connection, version, onProgress)
  } finally {
    // On a broken connection this fails as well, and would hide why; the server has let go of the lock then.
    await connection.query('SELECT pg_advisory_unlock($1)', [SEED_LOCK_KEY]).catch(() => {})
  }
}

async function readSeededVersion(connection: SeedConnection): Promise<string | undefined> {
  const table = await connection.query("SELECT to_regclass('rag_demo.seed') IS NOT NULL AS present", [])
  if (!(table.rows[0] as { present: boolean }).present) return undefined
  const { rows } = await connection.query('SELECT version FROM rag_demo.seed', [])
  return (rows[0] as { version: string } | undefined)?.version
}

async function seed(connection: SeedConnection, version: string, onProgress: OnProgress): Promise<void> {
  const documents = generateDocuments()
  const chunkCount = documents.reduce((sum, document) => sum + document.chunks.length, 0)
  onProgress(`seeding ${count(documents.length)} documents, ${count(chunkCount)} chunks`)
  await connection.exec('BEGIN')
  try {
    await connection.exec(SCHEMA_SQL)
    await insertDocuments(connection, documents, onProgress)
    onProgress('indexing for full-text search')
    await connection.exec(INDEX_SQL)
    await connection.query('INSERT INTO rag_demo.seed (version) VALUES ($1)', [version])
    await connection.exec('COMMIT')
  } catch (error) {
    // As with the lock: on a broken connection only the first error says why.
    await connection.exec('ROLLBACK').catch(() => {})
    throw error
  }
  // Without fresh statistics the planner takes 20,000 rows for a handful and scans where an index would serve.
  for (const table of ['documents', 'chunks', 'indexed_chunks']) {
    await connection.exec(`VACUUM ANALYZE rag_demo.${table}`)
  }
}

async function insertDocuments(
  connection: SeedConnection,
  documents: SeedDocument[],
  onProgress: OnProgress
): Promise<void> {
  let chunkId = 0
  for (let start = 0; start < documents.length; start += BATCH_DOCUMENTS) {
    const batch = documents.slice(start, start + BATCH_DOCUMENTS)
    const rows = batch.map(({ id, title }) => ({ id, title }))
    const chunkRows = batch.flatMap((document) =>
      document.chunks.map((text, position) => ({ id: ++chunkId, document_id: document.id, position, text }))
    )
    await connection.query(INSERT_DOCUMENTS, [JSON.stringify(rows)])
    await connection.query(INSERT_CHUNKS, [JSON.stringify(chunkRows)])
    onProgress(`seeded ${count(chunkId)} chunks`)
  }
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
