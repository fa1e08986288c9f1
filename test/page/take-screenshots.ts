/** Makes the README's pictures of the page, from a real walk: `npm run screenshots`. */
import { mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { launchBrowser, openPage } from './browser.ts'
import { startServiceProcess } from './service-process.ts'

const IMAGES_DIR = path.resolve(import.meta.dirname, '../../docs/images')
const MAX_BYTES = 300 * 1024
const RUN_TIMEOUT_MS = 60_000

const [service, browser] = await Promise.all([startServiceProcess({ FAULTS: 'all' }), launchBrowser()])
try {
  mkdirSync(IMAGES_DIR, { recursive: true })
  const { page } = await openPage(browser, service.url, { viewport: { width: 1280, height: 1500 } })
  await page.getByRole('button', { name: 'Send sample queries and diagnose' }).click()
  await page.locator('.headline.unhealthy').waitFor({ timeout: RUN_TIMEOUT_MS })
  await page.locator('.waterfall').waitFor({ timeout: RUN_TIMEOUT_MS })
  await shoot(page, 'page-light', '.hero')
  await page.emulateMedia({ colorScheme: 'dark' })
  await shoot(page, 'page-dark', '#flame')
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 390, height: 1400 })
  await shoot(page, 'page-narrow', '#verdict')
} finally {
  await browser.close()
  await service.stop()
}

/** What fills the window when `selector` is at its top. @throws Error when the picture is too large for a README */
async function shoot(page: Page, name: string, selector: string): Promise<void> {
  const file = path.join(IMAGES_DIR, `${name}.png`)
  await page.evaluate(`document.querySelector('${selector}').scrollIntoView({ behavior: 'instant' })`)
  // The page scrolls to the verdict by itself, and the flame graph grows to its width, within this.
  await page.waitForTimeout(800)
  await page.evaluate(`document.querySelector('${selector}').scrollIntoView({ behavior: 'instant' })`)
  await page.screenshot({ path: file, animations: 'disabled' })
  const { size } = statSync(file)
  console.log(`${path.relative(process.cwd(), file)}: ${Math.round(size / 1024)} KB`)
  if (size > MAX_BYTES) throw new Error(`${name}.png has ${size} bytes, more than ${MAX_BYTES}`)
}
