/** Memory of another process, which may be too busy to tell it itself. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const BYTES_PER_KB = 1024
const VM_RSS = /^VmRSS:\s+(\d+) kB$/m

/** @returns resident bytes, or undefined where the system does not tell or the process has ended */
export async function readRssBytes(pid: number): Promise<number | undefined> {
  try {
    const kb =
      process.platform === 'linux'
        ? VM_RSS.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
        : (await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])).stdout.trim()
    return Number(kb) > 0 ? Number(kb) * BYTES_PER_KB : undefined
  } catch {
    return undefined
  }
}
