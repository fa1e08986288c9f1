import { test } from 'node:test'
import { fuzzService } from '../system/fuzz-trial.ts'

test('20,000 random requests to every route', (t) => fuzzService(t, 20_000))
