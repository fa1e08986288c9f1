import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

/** Runs what every npm script runs first, under a Node that says it is `version`. */
function check(version: string) {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`
  const imports = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`]
  return spawnSync(process.execPath, [...imports, 'src/check-node.mjs'], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8'
  })
}

for (const version of ['18.20.8', '20.20.2', '24.11.1']) {
  test(`Node ${version} is refused in one line that says what to do`, () => {
    const { status, stderr } = check(version)
    assert.equal(status, 1)
    assert.match(stderr, new RegExp(`^Node ${version} is too old: .+ 24\\.12 .+npm ci.+\\n$`))
  })
}

for (const version of ['24.12.0', '24.21.0', '25.0.0']) {
  test(`Node ${version} is let through without a word`, () => {
    const { status, stderr } = check(version)
    assert.deepEqual([status, stderr], [0, ''])
  })
}
