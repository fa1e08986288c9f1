/** A process that opens the embedded database, tells the port its server listens on, and waits to be killed. */
import { openDatabase } from '../../src/database/database.ts'
import { readPort } from './connections.ts'

const database = await openDatabase({})
console.log(await readPort(database))
