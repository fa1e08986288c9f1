/** Words too common to tell what a text is about. */
const STOP_WORDS = new Set(
  'a an and are as at be by can do does for from have how in is it must of on or our should that the their there this to we what when where which who why with you your'.split(
    ' '
  )
)

/** The distinct words of a text that tell what it is about, in lower case. */
export function contentWords(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  return new Set(words.filter((word) => !STOP_WORDS.has(word)))
}
