/**
 * Stands in for the turns of the event loop in a leak check, where nobody else waits for one: in each V8's timer for
 * the statistics of a watched heap may fire, every 50 ms, and collects and numbers the whole heap.
 */
export async function takeTurn(): Promise<void> {}
