/**
 * What the stages write on their spans. The practical's names (`llm.model`, `user_id` …) stand beside those of
 * OpenTelemetry's semantic conventions, because its readiness checks look for them.
 */
import type { Attributes, Span } from '@opentelemetry/api'
import type { FaultName, FaultSwitches } from '../faults.ts'
import type { Usage } from './types.ts'

export interface Caller {
  userId: string
  tenantId?: string | undefined
}

export function callerAttributes(query: string, { userId, tenantId }: Caller): Attributes {
  return {
    'query.length': query.length,
    'user.id': userId,
    user_id: userId,
    ...(tenantId !== undefined && { 'tenant.id': tenantId })
  }
}

export function usageAttributes(usage: Usage): Attributes {
  return {
    'gen_ai.usage.input_tokens': usage.prompt_tokens,
    'llm.prompt_tokens': usage.prompt_tokens,
    'gen_ai.usage.output_tokens': usage.completion_tokens,
    'llm.completion_tokens': usage.completion_tokens,
    ...(usage.cost_usd !== null && { cost_usd: usage.cost_usd })
  }
}

/** What the repeats in a prompt come to: counts, never text. */
export function repeatAttributes(usage: Usage, repeatedCostUsd: number | null): Attributes {
  return {
    'llm.repeated_prompt_tokens': usage.repeated_prompt_tokens,
    ...(repeatedCostUsd !== null && { 'llm.repeated_prompt_cost_usd': repeatedCostUsd })
  }
}

/** One event for each of the named faults that is on. */
export function recordFaults(span: Span, faults: FaultSwitches, names: readonly FaultName[]): void {
  for (const name of names.filter((name) => faults[name])) {
    span.addEvent('feature_flag.evaluation', {
      'feature_flag.key': name,
      'feature_flag.result.value': true
    })
  }
}

/** Text that passed to or from the model, in the form the conventions want for `gen_ai.*.messages`. */
export function messageAttribute(role: 'user' | 'assistant', content: string): string {
  return JSON.stringify([{ role, parts: [{ type: 'text', content }] }])
}
