import { test } from 'node:test'
import { endUnderLoad } from '../system/sigterm-trials.ts'

test('200 SIGTERMs under load: no lost answer, no process left over, exit code 0', () => endUnderLoad(200))
