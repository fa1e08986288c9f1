/** A real Chromium whose pages note everything that must not happen. */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]

/** @throws where there is no Chromium: `CHROMIUM_PATH` says where it is */
export function launchBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}: set CHROMIUM_PATH`)
  return chromium.launch({ executablePath, args: ARGS })
}

export interface WatchedPage {
  page: Page
  /** Console errors and warnings (a violation of the policy is one), thrown errors, requests to other hosts. */
  complaints: string[]
}

export async function openPage(browser: Browser, url: string, options = {}): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      complaints.push(`console: ${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', (error) => complaints.push(`thrown: ${error.message}`))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`outside: ${request.url()}`)
  })
  await page.goto(url)
  return { page, complaints }
}
