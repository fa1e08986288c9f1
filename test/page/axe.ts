/** axe-core, run inside the page. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** @returns what axe finds serious or critical, one line for each rule with its first elements */
export async function findSeriousViolations(page: Page): Promise<string[]> {
  // By the debugger, which the page's policy does not bind: a script element would be refused.
  await page.evaluate(SOURCE)
  return page.evaluate<string[]>(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, help, nodes }) => id + ': ' + help + ': ' + nodes.slice(0, 3).map(({ target }) => target).join(', ')))`)
}
