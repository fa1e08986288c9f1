import { test } from 'node:test'
import { checkPipeline } from './pipeline-leak-trials.ts'

test('the pipeline leaks where its cache has no limit, and never where it has one: 3 checks of each', (t) =>
  checkPipeline(t, 3))
