/** What is said of slow SQL on a real PostgreSQL. TEST_DATABASE_URL names a database made for tests. */
import assert from 'node:assert/strict'
import { testSlowSql } from '../fixtures/slow-sql/suite.ts'

// Behind the suite's telemetry, which has to be there before pg is loaded.
const { openDatabase } = await import('../../src/database/database.ts')

const databaseUrl = process.env.TEST_DATABASE_URL
assert.ok(databaseUrl, 'set TEST_DATABASE_URL to a database made for tests')

testSlowSql('a real PostgreSQL', () => openDatabase({ databaseUrl }))
