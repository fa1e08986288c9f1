/**
 * The documents the service answers from, made from `example_data.json`: every sample document in one edition
 * for each region, department and year. The same input gives the same output, byte for byte: a dump of the
 * seeded database is shared by processes, and tests count on what a query finds.
 */
import sampleData from '../../example_data.json' with { type: 'json' }

/** Words in a chunk; the last chunk of a document may have fewer. */
export const CHUNK_WORDS = 60
/** Words a chunk shares with the one before it, as a sliding-window splitter leaves them. */
export const OVERLAP_WORDS = 25

const STRIDE_WORDS = CHUNK_WORDS - OVERLAP_WORDS
const PRNG_SEED = 20_241_101
/** Share of paragraphs that an edition takes over unchanged, so that editions repeat each other's passages. */
const VERBATIM_SHARE = 0.25

const REGIONS = ['Germany', 'France', 'Poland', 'Ireland', 'Canada', 'Japan', 'Brazil', 'Singapore']
const DEPARTMENTS = ['Finance', 'Human Resources', 'Engineering', 'Customer Support', 'Sales']
const YEARS = [2025, 2024, 2023, 2022, 2021]

/** Fewest and most chunks of a document by its kind; the square of a random number favours the short ones. */
const CHUNKS_BY_KIND: Readonly<Record<string, { min: number; max: number }>> = {
  notice: { min: 3, max: 4 },
  guideline: { min: 3, max: 8 },
  standard: { min: 14, max: 34 },
  policy: { min: 14, max: 36 },
  handbook: { min: 18, max: 40 }
}

type Random = () => number

interface Family {
  index: number
  title: string
  kind: string
  /** In how many editions the document exists. */
  editions: number
  paragraphs: string[][]
}

interface Edition {
  region: string
  department: string
  year: number
}

/** A document as it is stored; `chunks` in the order of the text. */
export interface SeedDocument {
  id: number
  title: string
  chunks: string[]
}

/** All documents, ids from 1: about 2,000 with 2 to 40 chunks each, about 20,000 chunks in total. */
export function generateDocuments(): SeedDocument[] {
  const families = sampleData.sample_documents.map(toFamily)
  const random = mulberry32(PRNG_SEED)
  const documents: SeedDocument[] = []
  for (const [index, edition] of listEditions().entries()) {
    for (const family of families.filter(({ editions }) => index < editions)) {
      const title = `${family.title} – ${edition.region}, ${edition.department} (${edition.year})`
      const id = documents.length + 1
      const text = writeDocument(id, family, families, edition, random)
      documents.push({ id, title, chunks: splitIntoChunks(text) })
    }
  }
  return documents
}

/** Windows of CHUNK_WORDS words, each OVERLAP_WORDS words into the one before. */
export function splitIntoChunks(text: string): string[] {
  const words = text.split(' ')
  const chunks: string[] = []
  for (let start = 0; start === 0 || start + OVERLAP_WORDS < words.length; start += STRIDE_WORDS) {
    chunks.push(words.slice(start, start + CHUNK_WORDS).join(' '))
  }
  return chunks
}

function toFamily(document: (typeof sampleData.sample_documents)[number], index: number): Family {
  return {
    index,
    title: document.title,
    kind: document.kind,
    editions: document.editions,
    paragraphs: document.paragraphs.map(toSentences)
  }
}

function toSentences(paragraph: string): string[] {
  return paragraph.split(/(?<=[.!?]) /)
}

function listEditions(): Edition[] {
  const editions: Edition[] = []
  for (const year of YEARS) {
    for (const region of REGIONS) {
      for (const department of DEPARTMENTS) editions.push({ region, department, year })
    }
  }
  return editions
}

/** Adds rule after rule until the next one would pass the length drawn for the document. */
function writeDocument(
  id: number,
  family: Family,
  families: Family[],
  edition: Edition,
  random: Random
): string {
  const maxWords = drawChunkCount(family.kind, random) * STRIDE_WORDS + OVERLAP_WORDS
  const text = [`This ${family.kind} holds for ${edition.department} in ${edition.region}.`]
  let words = countWords(text[0] as string)
  for (const paragraph of listParagraphs(family, families, random)) {
    const isVerbatim = random() < VERBATIM_SHARE
    for (const [position, sentence] of paragraph.entries()) {
      const rule = isVerbatim
        ? `${sentence} ${pickClause(family.index + position)}`
        : writeOwnRule(sentence, edition, `${id}.${text.length}`, random)
      words += countWords(rule)
      if (words > maxWords) return text.join(' ')
      text.push(rule)
    }
  }
  return text.join(' ')
}

/**
 * The sentence between an introduction and a reference of the edition's own: no 24 words in a row are those of
 * another edition, though the sentence and the clause are.
 */
function writeOwnRule(sentence: string, edition: Edition, controlId: string, random: Random): string {
  const { region, department, year } = edition
  const introductions = [
    `${department} in ${region} follows this rule.`,
    `${region} added this in ${year}.`,
    `${department} agreed to this in ${year}.`,
    `The ${region} edition of ${year} says this.`
  ]
  const introduction = introductions[Math.floor(random() * introductions.length)]
  const clause = pickClause(Math.floor(random() * sampleData.standard_clauses.length))
  return `${introduction} ${sentence} See control ${controlId}. ${clause}`
}

function drawChunkCount(kind: string, random: Random): number {
  const range = CHUNKS_BY_KIND[kind]
  if (!range) throw new Error(`example_data.json: unknown kind of document "${kind}"`)
  return range.min + Math.floor(random() ** 2 * (range.max - range.min + 1))
}

/** The family's own paragraphs from a random one on, then those of other families, as annexes are added. */
function listParagraphs(family: Family, families: Family[], random: Random): string[][] {
  const others = rotate(families, family.index + 1 + Math.floor(random() * (families.length - 1)))
  const annexes = others.filter((other) => other !== family).flatMap((other) => other.paragraphs)
  return [...rotate(family.paragraphs, Math.floor(random() * family.paragraphs.length)), ...annexes]
}

function rotate<T>(items: T[], by: number): T[] {
  const start = by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

function pickClause(index: number): string {
  const clauses = sampleData.standard_clauses
  return clauses[index % clauses.length] as string
}

function countWords(text: string): number {
  return text.split(' ').length
}

/** Mulberry32: a 32-bit generator in a few lines, good enough to vary text and the same on every machine. */
function mulberry32(seed: number): Random {
  let state = seed
  return function nextRandom() {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
