import type { Database } from '../database/database.ts'
import { type DocumentCacheDeps, loadOpenings } from './document-cache.ts'
import { type GenerateDeps, generate } from './generate.ts'
import { rerank } from './rerank.ts'
import { retrieve } from './retrieve.ts'
import type { Caller } from './span-facts.ts'
import { createStageRunner, type StageTime } from './stages.ts'
import type { Chunk, Source, Usage } from './types.ts'

/** Characters of a document's text that a source shows. */
const EXCERPT_CHARACTERS = 200

export interface PipelineDeps extends GenerateDeps, DocumentCacheDeps {
  database: Database
}

export interface Answer {
  response: string
  /** Characters of the excerpts the model was given. */
  context_length: number
  /** Documents found. */
  num_results: number
  stages: StageTime[]
  /** The documents the model was given excerpts of, best first. */
  sources: Source[]
  usage: Usage
}

/**
 * Answers one question from the documents found for it. Where none is found the model is not asked: without excerpts
 * it could only make an answer up.
 * @throws ModelUnavailableError, the database's errors, and the signal's reason when it aborts
 */
export async function answerQuery(query: string, caller: Caller, deps: PipelineDeps): Promise<Answer> {
  const { database, faults, model, signal } = deps
  const stages = createStageRunner(query, caller, faults, signal)

  const found = await stages.run(
    'rag.retrieve',
    ['n-plus-one-queries', 'missing-index'],
    async function retrieveStage(span) {
      const chunks = await retrieve(database, query, faults, signal)
      span.setAttributes({ 'rag.documents': countDocuments(chunks), 'rag.candidates': chunks.length })
      return chunks
    }
  )
  if (found.length === 0) return answerNothingFound(model.model, stages.times)

  const openings = await stages.run('rag.cache', ['unbounded-document-cache'], (span) =>
    loadOpenings(span, query, found, deps)
  )
  const candidates = await stages.run('rag.rerank', ['quadratic-chunk-filter'], function rerankStage(span) {
    span.setAttribute('rag.candidates', found.length)
    return rerank(query, found, faults)
  })
  const generation = await stages.run(
    'openai.generate',
    ['slow-prompt-serialization', 'redundant-prompt-tokens'],
    (span) => generate(span, query, candidates, deps)
  )
  return {
    response: generation.text,
    context_length: generation.contextLength,
    num_results: countDocuments(found),
    stages: stages.times,
    sources: listSources(generation.chunks, openings),
    usage: generation.usage
  }
}

function answerNothingFound(model: string, stages: StageTime[]): Answer {
  return {
    response: 'No document matches this question.',
    context_length: 0,
    num_results: 0,
    stages,
    sources: [],
    usage: { model, prompt_tokens: 0, repeated_prompt_tokens: 0, completion_tokens: 0, cost_usd: 0 }
  }
}

function countDocuments(chunks: readonly Chunk[]): number {
  return new Set(chunks.map((chunk) => chunk.documentId)).size
}

function listSources(chunks: readonly Chunk[], openings: ReadonlyMap<number, string>): Source[] {
  const sources = new Map<number, Source>()
  for (const { documentId: id, title, score } of chunks) {
    sources.set(id, { id, title, score, excerpt: openings.get(id)?.slice(0, EXCERPT_CHARACTERS) ?? '' })
  }
  return [...sources.values()].sort((a, b) => b.score - a.score)
}
