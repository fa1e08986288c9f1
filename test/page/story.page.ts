/** The newcomer's walk in a real browser: run, read the line, switch it off, see the difference. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { launchBrowser, openPage } from './browser.ts'
import { startServiceProcess } from './service-process.ts'

const LOW_CONTRAST = readFileSync(new URL('low-contrast.js', import.meta.url), 'utf8')
const VERDICT_TIMEOUT_MS = 60_000

const [service, browser] = await Promise.all([startServiceProcess({ FAULTS: 'all' }), launchBrowser()])
after(async () => {
  await browser.close()
  await service.stop()
})

const { page, complaints } = await openPage(browser, service.url)

test('the page comes in few bytes and says what to do', async (t) => {
  const firstPaintMs = await page.evaluate<number>(
    "performance.getEntriesByName('first-contentful-paint')[0].startTime"
  )
  const bytes = await page.evaluate<number>(
    "performance.getEntriesByType('resource').reduce((sum, entry) => sum + entry.transferSize, 0)"
  )
  t.diagnostic(`first paint after ${Math.round(firstPaintMs)} ms`)
  assert.ok(bytes <= 600 * 1024, `${bytes} bytes`)
  await page.getByText('Nothing has been diagnosed yet.').waitFor()
  await page.getByText('src/pipeline/rerank.ts').first().waitFor()
})

test('one button, by keyboard, leads to the verdict with the planted lines and their source', async () => {
  await focusByTab(page, 'Send sample queries and diagnose')
  await page.keyboard.press('Enter')
  await page.getByText(/answers? so far/).waitFor()
  await page.locator('.headline').waitFor({ timeout: VERDICT_TIMEOUT_MS })
  const cards = await page.locator('.card').allInnerTexts()
  const rerank = cards.find((text) => text.includes('rag.rerank')) ?? ''
  const generate = cards.find((text) => text.includes('openai.generate')) ?? ''
  assert.match(rerank, /src\/pipeline\/rerank\.ts:\d+/)
  assert.match(generate, /src\/pipeline\/prompt\.ts:\d+/)
  for (const card of await page.locator('.card').all()) {
    assert.equal(await card.locator('.chain .hot').count(), 1)
    assert.notEqual(await card.locator('.chain .hot code').innerText(), '(no source)')
  }
  assert.match(await page.locator('.headline').innerText(), /faults? costs? [\d,]+ ms of every request/)
})

test('the flame graph shows one span, searches, and is walked by the arrow keys', async () => {
  await page.getByLabel('Span', { exact: true }).selectOption('rag.rerank')
  await page.locator('.flame-chart g.frame').first().waitFor()
  const root = page.locator('.flame-chart g.frame[tabindex="0"]')
  assert.match((await root.getAttribute('aria-label')) ?? '', /^rag\.rerank: [\d,.]+ ms per request/)
  await root.focus()
  await page.keyboard.press('ArrowDown')
  assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-level')"), '2')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  await page.getByLabel('Search', { exact: true }).fill('rerank.ts')
  assert.ok((await page.locator('.flame-chart g.frame[data-match="true"]').count()) > 0)
  await page.getByLabel('Search', { exact: true }).fill('')
  await page.getByLabel('Span', { exact: true }).selectOption('')
})

test('the waterfall marks the slowest span, and a click on a span filters the flame graph', async () => {
  await page.locator('.waterfall li.slowest').waitFor()
  assert.equal(await page.locator('.waterfall li.slowest').count(), 1)
  await page.locator('.waterfall button', { hasText: 'rag.rerank' }).click()
  assert.equal(await page.getByLabel('Span', { exact: true }).inputValue(), 'rag.rerank')
  await page.locator('.waterfall button', { hasText: 'rag.rerank' }).click()
  assert.equal(await page.getByLabel('Span', { exact: true }).inputValue(), '')
})

test('a fault switched off on its card and run again shows the difference', async () => {
  const card = page.locator('.card', { hasText: 'rag.rerank' })
  await card.getByRole('switch').click()
  await page.locator('#faults [role="switch"][aria-checked="false"]').waitFor()
  await page.getByRole('button', { name: 'All off' }).click()
  await page.getByRole('button', { name: 'Run again and compare' }).click()
  await page.locator('.difference').waitFor({ timeout: VERDICT_TIMEOUT_MS })
  await page.locator('.headline.healthy').waitFor()
  const row = page.locator('.changes tr', { hasText: 'rag.rerank' })
  assert.match(await row.innerText(), /−\d+ %/)
  assert.match(await page.locator('.saving').innerText(), /takes [\d,]+ ms instead of [\d,]+ ms .*−\d+ %/)
  await page.getByText('Difference', { exact: true }).click()
  assert.ok((await page.locator('.flame-chart g.frame[data-kind="saved"]').count()) > 0)
})

test('memory and telemetry are shown', async () => {
  assert.match(await page.locator('#memory').innerText(), /Heap in use\n[\d.]+ MB/)
  assert.match(await page.locator('#telemetry').innerText(), /New traces kept\n10 %/)
})

test('a question is answered, with the time of each stage', async () => {
  await page.getByRole('textbox', { name: 'Question' }).fill('How long are audit logs kept?')
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
  await page.locator('#ask blockquote').waitFor()
  assert.match(await page.locator('#ask').innerText(), /rag\.rerank [\d.,]+ ms/)
})

test('every control has a name, and every text a contrast of 4.5 : 1 in both schemes', async () => {
  const nameless = await page.evaluate(`[...document.querySelectorAll('button, input, select, a')]
    .filter((each) => !each.ariaLabel && !each.labels?.length && each.textContent.trim() === '')
    .map((each) => each.outerHTML)`)
  assert.deepEqual(nameless, [])
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    assert.deepEqual(await page.evaluate(LOW_CONTRAST), [], colorScheme)
  }
})

test('a narrow screen has nothing to scroll sideways, in either scheme', async () => {
  await page.setViewportSize({ width: 360, height: 740 })
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360)
  }
})

test('after a reload the last two runs are there again', async () => {
  await page.reload()
  await page.locator('.headline.healthy').waitFor()
  await page.locator('.difference').waitFor()
})

test('nothing was complained about and nothing left this host', () => {
  assert.deepEqual(complaints, [])
})

test('when the service is down the page says so', async () => {
  await service.stop()
  await page.getByText('The service does not answer.').waitFor()
  assert.equal(await page.locator('#run').isDisabled(), true)
})

/** Presses Tab until a button with this text has the focus; fails after as many stops as a person would bear. */
async function focusByTab(page: Page, text: string): Promise<void> {
  for (let stop = 0; stop < 20; stop++) {
    await page.keyboard.press('Tab')
    if ((await page.evaluate('document.activeElement.textContent')) === text) return
  }
  assert.fail(`"${text}" is not within 20 presses of Tab`)
}
