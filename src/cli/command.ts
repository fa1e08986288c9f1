/** What the commands share: how options are read, what is printed when they can't run, the exit code. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

export const EXIT_COULD_NOT_RUN = 2

/** A mistake in how the command was called; its message and the usage are all that is printed. */
export class UsageError extends Error {}

/** @throws UsageError for an option that is unknown or lacks its value */
export function readOptions<const T extends ParseArgsOptionsConfig>(options: T) {
  try {
    return parseArgs({ args: process.argv.slice(2), options }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** @throws UsageError unless `text` is a number from `min` to `max` */
export function readNumber(name: string, text: string, min: number, max: number): number {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (number >= min && number <= max) return number
  throw new UsageError(`--${name} takes a number from ${min} to ${max}`)
}

/** @throws UsageError unless `text` is the address of an HTTP service */
export function readUrl(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text
  throw new UsageError('--url takes an address such as http://localhost:8000')
}

/** Runs a command: exits with what `main` returns, or says what went wrong and exits with 2. */
export function runCommand(usage: string, main: () => Promise<number>): void {
  main().then(
    (code) => {
      process.exitCode = code
    },
    (error: Error) => {
      console.error(error instanceof UsageError ? `${error.message}\n\n${usage}` : error.message)
      process.exitCode = EXIT_COULD_NOT_RUN
    }
  )
}
