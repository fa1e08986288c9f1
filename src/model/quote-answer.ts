import { contentWords } from '../pipeline/words.ts'

/** Sentences quoted in one answer at most. */
const MAX_QUOTES = 3

/**
 * Answers the question of a prompt by quoting the whole sentences of its numbered excerpts that share the most words
 * with it, each with its document's title.
 * @param prompt `[1] Title`, a line break and the excerpt, an empty line, …, and `Question: …` on the last line
 */
export function quoteAnswer(prompt: string): string {
  const questionWords = contentWords(prompt.slice(prompt.lastIndexOf('Question: ') + 'Question: '.length))
  const best = listSentences(prompt)
    .map((quote) => ({ ...quote, matches: questionWords.intersection(contentWords(quote.sentence)).size }))
    .filter(({ matches }) => matches > 0)
    .sort((a, b) => b.matches - a.matches)
    .slice(0, MAX_QUOTES)
  if (best.length === 0) return 'None of the excerpts answers this question.'
  return best.map(({ title, sentence }) => `According to "${title}": "${sentence}"`).join(' ')
}

interface Quote {
  title: string
  sentence: string
}

/** Every whole sentence of the excerpts once; what the splitter cut at an excerpt's edges is left out. */
function listSentences(prompt: string): Quote[] {
  const titles = new Map<string, string>()
  for (const [, title = '', text = ''] of prompt.matchAll(/^\[\d+\] ([^\n]+)\n(.*?)\n\n/gms)) {
    for (const sentence of text.split(/(?<=[.!?])\s+/)) {
      if (/^\p{Lu}.*[.!?]$/su.test(sentence) && !titles.has(sentence)) titles.set(sentence, title)
    }
  }
  return [...titles].map(([sentence, title]) => ({ title, sentence }))
}
