/** How much of a text has stood in it before: for a model that is paid by the word, what need not be sent. */

/** Where a line or a sentence ends. */
const BOUNDARY = /\n+|(?<=[.!?])\s+/
/** Shorter ones are turns of phrase. */
const MIN_CHARACTERS = 30
/** Of a longer text its beginning stands for the whole: the search is quadratic where nothing repeats. */
const MAX_CHARACTERS = 20_000

/**
 * A sentence or line counts as a repeat when it stands in the text before, be it as a part of another one: so does
 * what an excerpt's edge left of a sentence.
 * @returns the share of the text's characters that are in repeats, 0 to 1
 */
export function measureRepeatedShare(wholeText: string): number {
  const text = wholeText.slice(0, MAX_CHARACTERS)
  let repeated = 0
  let end = 0
  for (const unit of text.split(BOUNDARY)) {
    const start = text.indexOf(unit, end)
    end = start + unit.length
    if (unit.length >= MIN_CHARACTERS && text.indexOf(unit) < start) repeated += unit.length
  }
  return text.length === 0 ? 0 : repeated / text.length
}
