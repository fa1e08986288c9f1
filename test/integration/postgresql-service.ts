/** The whole service on a real PostgreSQL. TEST_DATABASE_URL names a database made for tests. */
import assert from 'node:assert/strict'
import { testService } from '../database/service-suite.ts'

const databaseUrl = process.env.TEST_DATABASE_URL
assert.ok(databaseUrl, 'set TEST_DATABASE_URL to a database made for tests')

testService('a real PostgreSQL', { DATABASE_URL: databaseUrl })
