/** Copies of files with a mistake in them: a validator that lets one through proves nothing about the original. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'

/**
 * Copies a file or directory and replaces `from` by `to` in one file of the copy.
 *
 * @param file the file to spoil, relative to the source; the source itself where that is a file
 * @returns where the copy is; removed at the test's end
 * @throws where the file does not hold `from`: the mistake would not be made
 */
export function copySpoiled(t: TestContext, source: string, from: string, to: string, file = ''): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'spoiled-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const copy = path.join(directory, path.basename(source))
  cpSync(source, copy, { recursive: true })
  const target = path.join(copy, file)
  const text = readFileSync(target, 'utf8')
  if (!text.includes(from)) throw new Error(`${target} does not hold "${from}"`)
  writeFileSync(target, text.replace(from, to))
  return copy
}
