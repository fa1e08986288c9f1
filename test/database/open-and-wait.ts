/**
 * A process that opens the embedded database, tells the port its server listens on once that is inside a statement
 * that does not end, and waits to be killed.
 */
import { openDatabase } from '../../src/database/database.ts'
import { readPort } from './connections.ts'

const database = await openDatabase({})
const port = await readPort(database)
void database.withClient((client) => client.query('SELECT count(*) FROM generate_series(1, 1e12)'))
if (!(await database.isHealthy(300))) console.log(port)
