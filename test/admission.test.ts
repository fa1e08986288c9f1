import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createAdmission } from '../src/admission.ts'

const never = new AbortController().signal

/** Work that ends when it is told to, and notes when it began. */
function holdWork(name: string, begun: string[]) {
  const { promise, resolve } = Promise.withResolvers<void>()
  async function work(): Promise<string> {
    begun.push(name)
    await promise
    return name
  }
  return { work, end: resolve }
}

test('so many run, so many wait in the order they came, and one more is refused', async () => {
  const admission = createAdmission({ maxConcurrent: 2, maxWaiting: 2, maxWaitMs: 60_000 })
  const begun: string[] = []
  const held = ['a', 'b', 'c', 'd'].map((name) => holdWork(name, begun))
  const answers = held.map(({ work }) => admission.run(never, work))
  await nextTurn()
  assert.deepEqual(begun, ['a', 'b'])
  await assert.rejects(
    admission.run(never, async () => 'e'),
    { statusCode: 503, code: 'OVERLOADED' }
  )
  assert.deepEqual([admission.running, admission.waiting, admission.refused], [2, 2, 1])
  held[1]?.end()
  await nextTurn()
  assert.deepEqual(begun, ['a', 'b', 'c'])
  for (const { end } of held) end()
  assert.deepEqual(await Promise.all(answers), ['a', 'b', 'c', 'd'])
  assert.deepEqual([admission.running, admission.waiting], [0, 0])
})

test('who leaves while waiting is never begun, and gives the place to the next', async () => {
  const admission = createAdmission({ maxConcurrent: 1, maxWaiting: 2, maxWaitMs: 60_000 })
  const begun: string[] = []
  const held = ['a', 'b', 'c'].map((name) => holdWork(name, begun))
  const leaver = new AbortController()
  const [a, b, c] = held.map(({ work }, i) => admission.run(i === 1 ? leaver.signal : never, work))
  leaver.abort(new Error('left'))
  await assert.rejects(async () => b, { message: 'left' })
  for (const { end } of held) end()
  assert.deepEqual(await Promise.all([a, c]), ['a', 'c'])
  assert.deepEqual(begun, ['a', 'c'])
})

test('work that fails frees its place', async () => {
  const admission = createAdmission({ maxConcurrent: 1, maxWaiting: 0, maxWaitMs: 60_000 })
  const failing = () => Promise.reject(new Error('failed'))
  await assert.rejects(admission.run(never, failing), { message: 'failed' })
  assert.equal(await admission.run(never, async () => 'next'), 'next')
})

test('who has left before the wait began does not wait', async () => {
  const admission = createAdmission({ maxConcurrent: 1, maxWaiting: 1, maxWaitMs: 60_000 })
  const { work, end } = holdWork('a', [])
  const first = admission.run(never, work)
  await assert.rejects(
    admission.run(AbortSignal.abort(new Error('left')), async () => 'b'),
    { message: 'left' }
  )
  assert.equal(admission.waiting, 0)
  end()
  await first
})

test('whoever waited too long is refused, and never begun', async () => {
  const admission = createAdmission({ maxConcurrent: 1, maxWaiting: 1, maxWaitMs: 10 })
  const begun: string[] = []
  const [a, b] = ['a', 'b'].map((name) => holdWork(name, begun))
  const first = admission.run(never, async () => a?.work())
  await assert.rejects(
    admission.run(never, async () => b?.work()),
    { statusCode: 503, code: 'OVERLOADED' }
  )
  a?.end()
  await first
  assert.deepEqual([begun, admission.running, admission.waiting], [['a'], 0, 0])
})
