import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readDump, writeDump } from '../../src/database/dump-cache.ts'

const dump = new Blob(['a data directory'])

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dump-cache-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

test('what many write at once is there once, whole, and in the place of older dumps', async (t) => {
  const directory = await makeDirectory(t)
  await writeFile(join(directory, 'database-older.tar.gz'), 'old')
  await writeFile(join(directory, 'notes.txt'), 'not ours')
  const paths = await Promise.all(Array.from({ length: 8 }, () => writeDump([directory], 'key', dump)))
  assert.deepEqual(new Set(paths), new Set([join(directory, 'database-key.tar.gz')]))
  assert.deepEqual((await readdir(directory)).sort(), ['database-key.tar.gz', 'notes.txt'])
  assert.equal(await (await readDump([directory], 'key'))?.text(), 'a data directory')
})

test('the first directory that can be written gets it, the first that has it gives it', async (t) => {
  const directory = await makeDirectory(t)
  await writeFile(join(directory, 'file'), '')
  const directories = [join(directory, 'file', 'below'), join(directory, 'made', 'when needed')]
  assert.equal(
    await writeDump(directories, 'key', dump),
    join(directory, 'made', 'when needed', 'database-key.tar.gz')
  )
  assert.equal(await (await readDump(directories, 'key'))?.text(), 'a data directory')
  assert.equal(await writeDump(directories.slice(0, 1), 'key', dump), undefined)
})

test('a dump of another version, a damaged one and none are none', async (t) => {
  const directory = await makeDirectory(t)
  await writeDump([directory], 'other', dump)
  await writeFile(join(directory, 'database-damaged.tar.gz'), 'not gzip')
  assert.equal(await readDump([directory], 'key'), undefined)
  assert.equal(await readDump([directory], 'damaged'), undefined)
  assert.equal(await readDump([], 'key'), undefined)
})
