/**
 * The seeded embedded database as a compressed dump of its data directory, so that only the first start seeds.
 * Each process restores its own copy; a file appears under its name complete or not at all.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { seedVersion } from './seed-database.ts'

/** Level 1: 50 MB become 10 MB, and reading it takes half the time of PGlite's own compression. */
const GZIP_LEVEL = 1

/** Changes with the seed, the schema and PGlite: a dump of another PGlite may not load. */
export function dumpCacheKey(): string {
  const pgliteManifest = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'))
  const { version } = JSON.parse(readFileSync(pgliteManifest, 'utf8')) as { version: string }
  return `${seedVersion()}-pglite-${version}`
}

/** The dump from the first directory that has a readable one. */
export async function readDump(directories: string[], key: string): Promise<Blob | undefined> {
  for (const directory of directories) {
    try {
      return new Blob([await promisify(gunzip)(await readFile(dumpPath(directory, key)))])
    } catch {
      // Not there, or damaged: seeding again puts a good one in its place.
    }
  }
  return undefined
}

/** Writes the dump to the first directory that can be written and returns its path; undefined where none can. */
export async function writeDump(directories: string[], key: string, dump: Blob): Promise<string | undefined> {
  const compressed = await promisify(gzip)(await dump.arrayBuffer(), { level: GZIP_LEVEL })
  for (const directory of directories) {
    const path = dumpPath(directory, key)
    const temporaryPath = `${path}.${randomUUID()}.tmp`
    try {
      await mkdir(directory, { recursive: true })
      await writeFile(temporaryPath, compressed)
      // Two processes that start cold at once both get here; the second rename replaces a dump by its equal.
      await rename(temporaryPath, path)
      await removeOtherDumps(directory, path)
      return path
    } catch {
      // Fails where the directory is none, which mkdir has already found.
      await rm(temporaryPath, { force: true }).catch(() => {})
    }
  }
  return undefined
}

/** Every change of the seed makes a new dump of 10 MB; those of earlier versions would pile up. */
async function removeOtherDumps(directory: string, path: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const other = join(directory, name)
    if (/^database-.*\.tar\.gz$/.test(name) && other !== path) await rm(other, { force: true })
  }
}

function dumpPath(directory: string, key: string): string {
  return join(directory, `database-${key}.tar.gz`)
}
