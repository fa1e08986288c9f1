/** Every route of the OpenAPI document under random requests: no 5xx but 503, no hang, nothing of the inside told. */
import { test } from 'node:test'
import { fuzzService } from './fuzz-trial.ts'

test('1,500 random requests to every route', (t) => fuzzService(t, 1500))
