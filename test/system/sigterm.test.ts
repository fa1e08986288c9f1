import { test } from 'node:test'
import { endUnderLoad } from './sigterm-trials.ts'

test('20 SIGTERMs under load: no lost answer, no process left over, exit code 0', () => endUnderLoad(20))
