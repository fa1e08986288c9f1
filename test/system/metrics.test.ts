/** Whoever asks, and whatever they ask: the metrics stay as many. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sendJson, startService } from '../service.ts'

const REQUESTS = 2000
const SIDE_BY_SIDE = 8

const service = await startService({
  FAULTS: 'none',
  SAMPLING_RATE: '0.1',
  LOG_LEVEL: 'warn',
  TENANT_PLANS: 'tenant-1=enterprise,tenant-2=paid'
})
after(service.close)

async function askAndVote(i: number): Promise<void> {
  const { status, body } = await sendJson(
    `${service.url}/query`,
    'POST',
    { query: `Which rule ${i} holds for backups?`, user_id: `user-${i}` },
    { 'x-tenant-id': `tenant-${i}` }
  )
  assert.equal(status, 200)
  const vote = { trace_id: body.trace_id, rating: 'down', category: 'other', comment: `comment ${i}` }
  assert.equal((await sendJson(`${service.url}/feedback`, 'POST', vote)).status, 202)
  await (await fetch(`${service.url}/nowhere/${i}`)).text()
}

async function scrape(): Promise<{ text: string; series: string[] }> {
  const text = await (await fetch(`${service.url}/metrics`)).text()
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return { text, series: samples.map((line) => line.slice(0, line.lastIndexOf(' '))) }
}

test(`${REQUESTS} distinct users, tenants and queries leave the number of series the same`, async () => {
  for (const i of [1, 2, 3]) await askAndVote(i)
  await scrape()
  const before = await scrape()
  let next = 4
  async function askOnAndOn(): Promise<void> {
    while (next < REQUESTS) await askAndVote(next++)
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, askOnAndOn))
  const after = await scrape()
  assert.deepEqual(after.series, before.series)
  assert.doesNotMatch(after.text, /user-|tenant-|comment|backups/)
})
