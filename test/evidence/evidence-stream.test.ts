import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type EvidencePart, isWindowOpen, streamEvidence } from '../../src/evidence/evidence-stream.ts'
import { startProfilers, stopProfilers } from '../../src/evidence/profilers.ts'
import { until } from '../processes.ts'

before(startProfilers)
after(stopProfilers)

test('a window keeps others out until its last part is read, and the next one has samples', async () => {
  const first = streamEvidence(() => {})
  const closing = first.close()
  assert.equal(isWindowOpen(), true)
  assert.throws(() => streamEvidence(() => {}), /open already/)
  await closing
  assert.equal(isWindowOpen(), false)

  const parts: EvidencePart[] = []
  const second = streamEvidence((part) => parts.push(part))
  await until('samples of the second window', () => parts.some(({ samples }) => samples.length > 0))
  await second.close()
  assert.equal(parts.at(-1)?.isLast, true)
})
