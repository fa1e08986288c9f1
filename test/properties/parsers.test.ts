import { test } from 'node:test'
import fc from 'fast-check'
import { parserProperties } from './parsers.ts'

/** A few on every run; test/soak has the many. */
const RUNS = 60

for (const { name, property } of parserProperties) {
  test(name, () => fc.assert(property as fc.IProperty<unknown>, { numRuns: RUNS }))
}
