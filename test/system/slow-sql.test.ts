import { testSlowSql } from '../fixtures/slow-sql/suite.ts'

// Behind the suite's telemetry, which has to be there before pg is loaded.
const { openDatabase } = await import('../../src/database/database.ts')

testSlowSql('the embedded PostgreSQL', () => openDatabase({}))
