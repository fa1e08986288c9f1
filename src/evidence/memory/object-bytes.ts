/** What a program's objects take on this isolate's heap. */
import { getHeapSpaceStatistics } from 'node:v8'
import { sum } from '../tally.ts'

/**
 * @returns bytes in use, garbage included, without machine code and bytecode: these grow for minutes while functions
 *   are optimized, whatever the program keeps
 */
export function readObjectBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => !/code|trusted/.test(space_name))
  return sum(spaces.map(({ space_used_size }) => space_used_size))
}
