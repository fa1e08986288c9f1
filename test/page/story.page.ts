/** The newcomer's walk in a real browser: run, read the line, switch it off, compare, check for leaks, say whether it helped. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { createFaultRegistry, type FaultName } from '../../src/faults.ts'
import { CATEGORIES } from '../../src/feedback/feedback-book.ts'
import { findSeriousViolations } from './axe.ts'
import { launchBrowser, openPage } from './browser.ts'
import { startServiceProcess } from './service-process.ts'

const LOW_CONTRAST = readFileSync(new URL('low-contrast.js', import.meta.url), 'utf8')
const RUN_TIMEOUT_MS = 60_000
/** The innermost hot loop reaches no further from the comment that marks it. */
const MAX_LINES_APART = 4

const [service, browser] = await Promise.all([
  // By default a diagnosis tries the index by itself, and no button is left to press.
  startServiceProcess({ FAULTS: 'all', SQL_INDEX_ADVICE: 'on-request' }),
  launchBrowser()
])
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
    `performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
      .reduce((sum, entry) => sum + entry.transferSize, 0)`
  )
  t.diagnostic(`first paint after ${Math.round(firstPaintMs)} ms, ${Math.round(bytes / 1024)} KB`)
  assert.ok(bytes > 100 * 1024 && bytes <= 600 * 1024, `${bytes} bytes`)
  await page.getByText('Nothing has been diagnosed yet.').waitFor()
  await page.getByText('src/pipeline/rerank.ts').first().waitFor()
  await page.getByText('No statement has run since the start').waitFor()
  await page.getByText('No trace was kept yet.').waitFor()
  assert.deepEqual(await findSeriousViolations(page), [])
})

test('one button, by keyboard, leads to the verdict with the planted lines and their source', async () => {
  await pressByKeyboard(page, 'Send sample queries and diagnose')
  await page.getByText(/answers? so far/).waitFor()
  await page.locator('.headline').waitFor({ timeout: RUN_TIMEOUT_MS })
  await assertNamesPlantedLine('rag.rerank', 'quadratic-chunk-filter')
  await assertNamesPlantedLine('openai.generate', 'slow-prompt-serialization')
  for (const code of await page.locator('.card .chain .hot code').allInnerTexts()) {
    assert.notEqual(code, '(no source)')
  }
  assert.match(await page.locator('.headline').innerText(), /faults? costs? [\d,]+ ms of every request/)
})

test('each fault says what it did to the last run, as measured', async () => {
  const row = page.locator('.faults li', { hasText: 'quadratic-chunk-filter' })
  const card = page.locator('.card', { hasText: 'rag.rerank' }).first()
  const [cost] = /[\d,.]+ ms/.exec(await card.locator('.cost').innerText()) ?? []
  assert.ok(cost)
  assert.ok((await row.innerText()).includes(`${cost} per request`))
})

test('the flame graph shows one span, searches, tells CPU from wall time, and is walked by the arrow keys', async () => {
  await page.getByLabel('Span', { exact: true }).selectOption('rag.rerank')
  await page.locator('#flame g.frame').first().waitFor()
  const root = page.locator('#flame g.frame[tabindex="0"]')
  assert.match((await root.getAttribute('aria-label')) ?? '', /^rag\.rerank: [\d,.]+ ms per request/)
  await root.focus()
  await page.keyboard.press('ArrowDown')
  assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-level')"), '2')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  await page.getByLabel('Search', { exact: true }).fill('rerank.ts')
  assert.ok((await page.locator('#flame g.frame[data-match="true"]').count()) > 0)
  await page.getByLabel('Search', { exact: true }).fill('')
  const [cpuMs, wallMs] = [await readRootMs(), await chooseAndReadRootMs('Wall')]
  assert.ok(wallMs > 0.9 * cpuMs, `${wallMs} ms of wall time, ${cpuMs} ms of CPU`)
  await page.getByText('CPU', { exact: true }).last().click()
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

test('the statements stand by their time per request, with their call sites, and lead to their traces', async () => {
  const { file, line } = placeOf('n-plus-one-queries')
  const repeated = page.locator('.statements > li', { hasText: `${file}:${line}` })
  assert.match(await repeated.innerText(), /ms a request, called [\d.]+ times/)
  const link = repeated.getByRole('button', { name: /^Show trace/ }).first()
  await link.click()
  const traceId = (await link.getAttribute('title')) ?? 'no title'
  await page.locator('.waterfall code', { hasText: traceId }).waitFor()
})

test('a statement shows its plan with what is wrong, and whether an index would help, as tried', async () => {
  const scan = page.locator('.statements > li', { hasText: 'unindexed scan' }).first()
  await scan.locator('summary').click()
  await scan.locator('.plan', { hasText: 'Seq Scan' }).waitFor()
  await scan.getByRole('button', { name: 'Would an index help?' }).click()
  await scan.locator('.advice code', { hasText: 'CREATE INDEX' }).waitFor()
  assert.equal(await scan.locator('details').getAttribute('open'), '')
})

test('a leak check, by keyboard, names the variable and the line, and proves it', async () => {
  await pressByKeyboard(page, 'Check for leaks')
  await page.getByRole('progressbar', { name: 'Leak check' }).waitFor()
  const result = page.locator('.check-result.leak')
  await result.waitFor({ timeout: RUN_TIMEOUT_MS })
  const { file, line } = placeOf('unbounded-document-cache')
  const text = await result.innerText()
  assert.match(text, /documentCache/)
  assert.ok(text.includes(`${file}:${line}`), text)
  assert.match(text, /Proof: emptying .* gave back/)
})

test('what is alive on the heap is drawn by the code that allocated it', async () => {
  await page.getByRole('button', { name: 'Show what is alive' }).click()
  const root = page.locator('#memory-heap g.frame').first()
  await root.waitFor()
  assert.match((await root.getAttribute('aria-label')) ?? '', /^everything alive: [\d.]+ MB \(100 %\)/)
  assert.ok(
    (await page
      .locator('#memory-heap g.frame[data-kind="own"], #memory-heap g.frame[data-kind="hot"]')
      .count()) > 0
  )
})

test('a fault switched off on its card and run again shows the difference', async () => {
  const card = page.locator('.card', { hasText: 'rag.rerank' })
  await card.getByRole('switch').click()
  await page.locator('#faults [role="switch"][aria-checked="false"]').waitFor()
  await pressByKeyboard(page, 'All off')
  await page.getByRole('button', { name: 'Run again and compare' }).click()
  await page.locator('.difference').waitFor({ timeout: RUN_TIMEOUT_MS })
  await page.locator('.headline.healthy').waitFor()
  const row = page.locator('.changes tr', { hasText: 'rag.rerank' })
  assert.match(await row.innerText(), /−\d+ %/)
  assert.match(await page.locator('.saving').innerText(), /takes [\d,]+ ms instead of [\d,]+ ms .*−\d+ %/)
  await page.getByText('Difference', { exact: true }).click()
  assert.ok((await page.locator('#flame g.frame[data-kind="saved"]').count()) > 0)
})

test('a question is answered, with the time of each stage; a vote against it is found among the traces', async () => {
  await page.getByRole('textbox', { name: 'Question' }).fill('How long are audit logs kept?')
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
  await page.locator('#ask blockquote').waitFor()
  assert.match(await page.locator('#ask .stages').innerText(), /rag\.rerank\s+[\d.,]+ ms/)
  await pressByKeyboard(page, '↓ Not helpful')
  const reason = page.getByLabel('What was wrong with it?')
  await reason.waitFor()
  const offered = await reason
    .locator('option')
    .evaluateAll((options) =>
      options.map((option) => option.getAttribute('value')).filter((value) => value !== '')
    )
  assert.deepEqual(offered, [...CATEGORIES])
  await reason.selectOption('incomplete')
  await page.getByText('Recorded with the reason.').waitFor()
  await page.getByText('Of 1 vote so far 0 % said helpful. Of the others: incomplete 1.').waitFor()
  await page.getByRole('button', { name: 'Show their traces' }).click()
  await page.locator('.trace-list', { hasText: 'not helpful: incomplete' }).waitFor()
})

test('memory, sampling and costs are shown, and looking at them is not counted as traffic', async () => {
  await page.locator('#memory canvas').first().waitFor()
  assert.match(await page.locator('#memory').innerText(), /Heap in use\n[\d.]+ MB/)
  assert.match(await page.locator('#telemetry').innerText(), /New requests traced\n10 %/)
  assert.match(await page.locator('#telemetry').innerText(), /queries cost/)
  const countBefore = await countRequests()
  const again = await browser.newPage()
  await again.goto(service.url)
  await again.locator('#telemetry dl').waitFor()
  await again.close()
  assert.equal(await countRequests(), countBefore)
})

test('axe finds nothing serious, every control has a name, and every text a contrast of 4.5 : 1, in both schemes', async () => {
  const nameless = await page.evaluate(`[...document.querySelectorAll('button, input, select, a')]
    .filter((each) => !each.ariaLabel && !each.labels?.length && each.textContent.trim() === '')
    .map((each) => each.outerHTML)`)
  assert.deepEqual(nameless, [])
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    assert.deepEqual(await findSeriousViolations(page), [], colorScheme)
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
  await page.getByRole('button', { name: 'Try now' }).waitFor()
  assert.equal(await page.locator('#run').isDisabled(), true)
  assert.deepEqual(await findSeriousViolations(page), [])
})

/** Where a fault's comment stands in the source. */
function placeOf(name: FaultName): { file: string; line: number } {
  const fault = createFaultRegistry('all').find(name)
  assert.ok(fault)
  return fault
}

async function assertNamesPlantedLine(span: string, name: FaultName): Promise<void> {
  const planted = placeOf(name)
  const text = await page.locator('.card', { hasText: span }).first().locator('.place').innerText()
  const [, file, line] = /(\S+):(\d+)/.exec(text) ?? []
  assert.equal(file, planted.file)
  assert.ok(Math.abs(Number(line) - planted.line) <= MAX_LINES_APART, `${line} for ${planted.line}`)
}

async function readRootMs(): Promise<number> {
  const label = await page.locator('#flame g.frame').first().getAttribute('aria-label')
  return Number(/([\d,.]+) ms per request/.exec(label ?? '')?.[1]?.replaceAll(',', ''))
}

async function chooseAndReadRootMs(text: string): Promise<number> {
  await page.getByText(text, { exact: true }).click()
  return readRootMs()
}

async function countRequests(): Promise<number> {
  const response = await fetch(`${service.url}/apm/metrics`, { headers: { 'x-untraced': '1' } })
  const { sampling } = (await response.json()) as { sampling: { requests_last_hour: number } }
  return sampling.requests_last_hour
}

/** Presses Tab until a button with this text has the focus, and then Enter; fails where no Tab leads to it. */
async function pressByKeyboard(page: Page, text: string): Promise<void> {
  await page.evaluate('document.activeElement?.blur(); scrollTo(0, 0)')
  for (let stop = 0; stop < 250; stop++) {
    await page.keyboard.press('Tab')
    if ((await page.evaluate('document.activeElement.textContent')) === text) {
      await page.keyboard.press('Enter')
      return
    }
  }
  assert.fail(`no Tab leads to "${text}"`)
}
