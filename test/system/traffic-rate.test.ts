/** Much traffic, as the whole service meets it: an hour that passes at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../processes.ts'
import { startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'

const LIMIT = 20
/** On SIGUSR2 the wall clock is an hour later. */
const CLOCK = `data:text/javascript,const{now}=Date;let hours=0;Date.now=()=>now()+hours*3600000;process.on('SIGUSR2',()=>{hours+=1})`

test('the rate falls above the limit and rises an hour later; both are logged, polls do not count', async () => {
  const { child, url, output } = await startServer(
    { HIGH_TRAFFIC_REQUESTS_PER_HOUR: String(LIMIT), SAMPLING_RATE: '1', HIGH_TRAFFIC_SAMPLING_RATE: '0' },
    ['--import', CLOCK]
  )

  async function askMany(count: number): Promise<boolean[]> {
    const sampled: boolean[] = []
    for (let i = 0; i < count; i++) {
      const { status, body } = await sendJson(`${url}/query`, 'POST', { query: 'How long are logs kept?' })
      assert.equal(status, 200)
      sampled.push(body.sampled)
    }
    return sampled
  }

  async function readSampling(): Promise<{ effective_rate: number; requests_last_hour: number }> {
    await fetch(`${url}/health`)
    const response = await fetch(`${url}/apm/metrics`, { headers: { 'x-untraced': '1' } })
    return ((await response.json()) as { sampling: Awaited<ReturnType<typeof readSampling>> }).sampling
  }

  assert.deepEqual(await askMany(LIMIT), Array(LIMIT).fill(true))
  assert.deepEqual(await readSampling(), { effective_rate: 1, requests_last_hour: LIMIT })
  assert.deepEqual(await askMany(2), [false, false])
  assert.deepEqual(await readSampling(), { effective_rate: 0, requests_last_hour: LIMIT + 2 })

  child.kill('SIGUSR2')
  await until('the hour has passed', async () => (await readSampling()).requests_last_hour === 0)
  assert.deepEqual(await askMany(1), [true])
  assert.deepEqual(await readSampling(), { effective_rate: 1, requests_last_hour: 1 })

  const changes = output().stdout.match(/the traffic changes the sampling rate to [\d.]+/g)
  assert.deepEqual(
    changes?.map((each) => each.split(' ').at(-1)),
    ['0', '1']
  )
})
