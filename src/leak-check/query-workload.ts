/**
 * The service's own pipeline as a workload: each iteration answers a query that was never asked before, from recorded
 * rows, without latency, with a model that answers at once.
 */
import type { FaultSwitches } from '../faults.ts'
import type { ModelClient } from '../model/client.ts'
import { answerQuery, type PipelineDeps } from '../pipeline/answer-query.ts'
import { type RetrievalSnapshot, replayRetrieval } from './retrieval-snapshot.ts'

export interface QueryWorkloadInput {
  query: string
  snapshot: RetrievalSnapshot
  faults: FaultSwitches
}

const silentModel: ModelClient = {
  model: 'gpt-4',
  complete: async () => ({ text: '', model: 'gpt-4', promptTokens: 0, completionTokens: 0 })
}

let query = ''
let deps: PipelineDeps

export function prepare(input: QueryWorkloadInput): void {
  query = input.query
  deps = {
    database: replayRetrieval(input.snapshot),
    model: silentModel,
    prices: {},
    faults: input.faults,
    captureContent: false,
    latencyScale: 0
  }
}

export async function iterate(i: number): Promise<void> {
  await answerQuery(`${query} (${i})`, { userId: 'leak-check' }, deps)
}
