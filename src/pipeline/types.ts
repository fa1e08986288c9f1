/** One piece of a document as the sliding-window splitter left it, with the rank its document got. */
export interface Chunk {
  id: number
  documentId: number
  title: string
  /** Place of the chunk within its document, from 0. */
  position: number
  text: string
  /** Full-text rank of the chunk's document for the query; higher is better. */
  score: number
}

/** A document an answer rests on, as the caller sees it. */
export interface Source {
  id: number
  title: string
  score: number
  /** How the document begins, for a reader. */
  excerpt: string
}

/** Tokens of one model call and what they cost at the price table's rates. */
export interface Usage {
  model: string
  prompt_tokens: number
  /** Of these, the ones of text that the prompt held already. */
  repeated_prompt_tokens: number
  completion_tokens: number
  /** Null when the price table does not know the model. */
  cost_usd: number | null
}
