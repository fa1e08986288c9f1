/** The peers are no dependency of the service: they are installed when they are first measured. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const BENCH_DIR = import.meta.dirname

/** @throws Error that says what npm said */
export async function installPeers(say: (text: string) => void): Promise<void> {
  if (areInstalled()) return
  say('installing the peers into bench/node_modules (once, some 200 MB) …')
  try {
    await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: BENCH_DIR })
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    throw new Error(`The peers could not be installed: npm ci in bench/ failed.\n${stderr.trim()}`, {
      cause: error
    })
  }
}

/** The very versions that the lockfile names. */
function areInstalled(): boolean {
  const { dependencies } = JSON.parse(readFileSync(path.join(BENCH_DIR, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  return Object.entries(dependencies).every(function isInstalled([name, version]) {
    const file = path.join(BENCH_DIR, 'node_modules', name, 'package.json')
    return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).version === version
  })
}
