import { openDatabase } from '../../src/database/database.ts'
import { testRetrieve } from './retrieve-suite.ts'

testRetrieve('the embedded PostgreSQL', () => openDatabase({}))
