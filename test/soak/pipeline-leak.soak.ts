import { test } from 'node:test'
import { checkPipeline } from '../system/pipeline-leak-trials.ts'

test('the pipeline leaks where its cache has no limit, and never where it has one: 30 checks of each', (t) =>
  checkPipeline(t, 30))
