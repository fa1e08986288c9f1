import { test } from 'node:test'
import { endUnderLoad } from './sigterm-trials.ts'

const TRIALS = Number(process.env.SIGTERM_TRIALS ?? 20)

test(`${TRIALS} SIGTERMs under load: no lost answer, no process left over, exit code 0`, async () => {
  await endUnderLoad(TRIALS)
})
