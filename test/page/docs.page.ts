/** The documentation in a browser, under its content security policy. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startServer } from '../server-process.ts'
import { launchBrowser, openPage } from './browser.ts'

const browser = await launchBrowser()
after(() => browser.close())

test('Swagger UI shows every operation, and nothing of it is blocked', async () => {
  const { child, url } = await startServer()
  const { page, complaints } = await openPage(browser, `${url}/docs`)
  await page.waitForSelector('.opblock')
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> }
  const operations = Object.values(paths).flatMap((methods) => Object.keys(methods))
  assert.equal(await page.locator('.opblock').count(), operations.length)
  assert.deepEqual(complaints, [])
  child.kill('SIGTERM')
})
