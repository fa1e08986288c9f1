/** The page of a service that is open beyond its machine: the admin token is asked for once. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { launchBrowser, openPage } from './browser.ts'
import { startServiceProcess } from './service-process.ts'

const [service, browser] = await Promise.all([
  startServiceProcess({ HOST: '0.0.0.0', ADMIN_TOKEN: 'open sesame' }),
  launchBrowser()
])
after(async () => {
  await browser.close()
  await service.stop()
})

test('a wrong token is refused in the dialog, the right one is kept until the tab is closed', async () => {
  const { page } = await openPage(browser, service.url)
  const dialog = page.getByRole('dialog', { name: 'Admin token' })
  await dialog.getByLabel('Token').fill('wrong')
  await dialog.getByRole('button', { name: 'Use it' }).click()
  await dialog.getByText('That token was refused.').waitFor()
  await dialog.getByLabel('Token').fill('open sesame')
  await dialog.getByRole('button', { name: 'Use it' }).click()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('switch').first().waitFor()
  await page.reload()
  await page.getByRole('switch').first().waitFor()
  assert.equal(await dialog.isVisible(), false)
})

test('whoever would rather not is not asked again by the page itself, only by the button', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(service.url)
  const dialog = page.getByRole('dialog', { name: 'Admin token' })
  await dialog.getByRole('button', { name: 'Not now' }).click()
  await page.getByText('This route needs the header').waitFor()
  await page.getByText('Heap in use').waitFor()
  assert.equal(await dialog.isVisible(), false)
  await page.getByRole('button', { name: 'Send sample queries and diagnose' }).click()
  await dialog.waitFor()
})
