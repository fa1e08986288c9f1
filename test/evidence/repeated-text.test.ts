import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureRepeatedShare } from '../../src/evidence/repeated-text.ts'

const RULE = 'Backups are encrypted with a key of their own and tested every month.'
const OTHER = 'Access to production is granted by the owner of the system, for ninety days.'

const shares: [what: string, text: string, share: number][] = [
  ['an empty text', '', 0],
  ['a text that says everything once', `${RULE} ${OTHER}`, 0],
  ['a sentence said twice', `${RULE} ${RULE}`, 1 / 2],
  ['a sentence said three times', `${RULE} ${RULE}\n${RULE}`, 2 / 3],
  [
    'a line without a full stop',
    `- rotate the signing keys every year\n${OTHER}\n- rotate the signing keys every year`,
    0.25
  ],
  [
    'what an edge left of a sentence',
    `${RULE} ${OTHER}\n\nwith a key of their own and tested every month.`,
    0.24
  ],
  ['short turns of phrase', 'See above. '.repeat(50), 0]
]

for (const [what, text, share] of shares) {
  test(`${what}: ${Math.round(share * 100)} %`, () => {
    const measured = measureRepeatedShare(text)
    assert.ok(Math.abs(measured - share) < 0.02, `${measured}`)
  })
}
