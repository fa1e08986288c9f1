import { test } from 'node:test'
import fc from 'fast-check'
import { parserProperties } from '../properties/parsers.ts'

const INPUTS = 20_000
const runs = Math.ceil(INPUTS / parserProperties.length)

for (const { name, property } of parserProperties) {
  test(`${name} (${runs} inputs)`, () => fc.assert(property as fc.IProperty<unknown>, { numRuns: runs }))
}
