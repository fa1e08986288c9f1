/** The check as the service runs it: one at a time, its child never left behind. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { createDrain } from '../../src/drain.ts'
import { createErrorHandler } from '../../src/error-handler.ts'
import { type LeakChecker, LeakCheckRunningError } from '../../src/leak-check/leak-checker.ts'
import { leakCheckRoutes } from '../../src/routes/memory.ts'
import { checkFixture } from '../fixtures/leaks/trials.ts'
import { isRunning, until } from '../processes.ts'

test('a second check meanwhile is told when to come again', async () => {
  const gate = Promise.withResolvers<void>()
  let isRunning = false
  const leakChecker: LeakChecker = {
    isRunning,
    last: undefined,
    async run() {
      if (isRunning) throw new LeakCheckRunningError()
      isRunning = true
      await gate.promise
      return checkFixture('throws')
    },
    close: () => {}
  }
  const app = fastify()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(createErrorHandler({ countError: () => {}, observeRequest: () => {} }))
  app.decorate('drain', createDrain(app.server))
  await app.register(leakCheckRoutes, { leakChecker })
  const check = { method: 'POST', url: '/memory/leak-check' } as const
  const first = app.inject({ ...check, payload: { iterations: 3 } })
  while (!isRunning) await delay(1)
  const second = await app.inject(check)
  gate.resolve()
  assert.equal(second.statusCode, 409)
  assert.equal(second.json().code, 'LEAK_CHECK_RUNNING')
  assert.ok(Number(second.headers['retry-after']) > 0)
  const { leak_check } = (await first).json()
  assert.equal(leak_check.verdict, 'inconclusive')
  assert.equal((await app.inject({ ...check, payload: { iterations: 101 } })).statusCode, 400)
  await app.close()
})

test('a check that is called off ends', async () => {
  const controller = new AbortController()
  const running = checkFixture('endless-loop', { signal: controller.signal })
  controller.abort()
  assert.match((await running).reason, /called off/)
})

test('a child in an endless loop dies with a service that was killed', {
  skip: process.platform !== 'linux' && 'finds the child in /proc'
}, async () => {
  const parent = fork(new URL('../fixtures/leaks/orphan-parent.ts', import.meta.url))
  const [childPid] = await once(parent, 'message')
  // Long enough for the child to be in its loop; it is killed either way.
  await delay(1500)
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  await until('the child ends', () => !isRunning(childPid))
})
