/** What a planted fault did to the last run, as measured. Pure: no document, no network. */
import { ms, number, size } from './format.js'

/** A hot line stands at most so far from its fault's comment, within the innermost hot loop; a call stands on it. */
const MAX_LINES_APART = 8
/** Less than this is noise between two runs. */
const MIN_CHANGE_MS = 20

/** @returns the planted fault that a finding has found, if it is one */
export function findFault(finding, faults) {
  const subject = subjectOf(finding)
  if (subject !== undefined) return faults.find(({ name }) => name.split('-').includes(subject))
  const { kind, file, line } = finding
  const distance = (fault) => Math.abs(fault.line - line)
  return faults
    .filter((fault) => fault.file === file && distance(fault) <= (kind === 'sql' ? 0 : MAX_LINES_APART))
    .sort((a, b) => distance(a) - distance(b))[0]
}

/** What is amiss where that is not on the line that the finding names: it names the call that suffers. */
function subjectOf({ kind, plan_issues }) {
  if (kind === 'tokens') return 'tokens'
  return plan_issues?.some((issue) => issue.kind === 'unindexed-scan') ? 'index' : undefined
}

/** @returns `{ file, line }` of a place such as `src/a.ts:12`, or undefined */
export function parsePlace(place) {
  const [, file, line] = /^(.*):(\d+)$/.exec(place ?? '') ?? []
  return file === undefined ? undefined : { file, line: Number(line) }
}

/**
 * @param {object} fault
 * @param {{ record?: object, leakCheck?: object, faults: object[] }} state the last run and leak check, and all faults
 * @returns {string[]} what their findings say it cost a request; empty where there is none
 */
export function measuredCosts(fault, { record, leakCheck, faults }) {
  const findings = (record?.findings ?? []).filter(
    (finding) => finding.severity === 'fault' && findFault(finding, faults)?.name === fault.name
  )
  const sum = (field) => findings.reduce((total, finding) => total + (finding[field] ?? 0), 0)
  const [costMs, tokens, bytes] = [
    'cost_ms_per_request',
    'tokens_per_request',
    'growth_bytes_per_request'
  ].map(sum)
  const place = leakCheck?.leak_detected && parsePlace(leakCheck.allocated_at)
  const isLeak = place && findFault(place, faults)?.name === fault.name
  return [
    isLeak && `${size(leakCheck.growth_bytes_per_iteration)} kept for good with every query (leak check)`,
    costMs > 0 && `${ms(costMs)} per request`,
    tokens > 0 && `${number(tokens)} tokens per request`,
    bytes > 0 && !isLeak && `${size(bytes)} kept per request`
  ].filter((text) => typeof text === 'string')
}

/**
 * What switching one fault did to a request, where it is the only one that was switched between two runs.
 * @param {{ comparison?: object, faultsBefore?: object[], faultsAfter?: object[] }} state the faults as they were in
 *   either run
 * @returns {{ name: string, changeMs: number } | undefined}
 */
export function measuredSwitch({ comparison, faultsBefore, faultsAfter }) {
  if (!comparison || !faultsBefore || !faultsAfter) return undefined
  const enabledBefore = new Map(faultsBefore.map(({ name, enabled }) => [name, enabled]))
  const switched = faultsAfter.filter(({ name, enabled }) => enabledBefore.get(name) !== enabled)
  const [request] = comparison.spans.toSorted((a, b) => b.before_ms - a.before_ms)
  if (switched.length !== 1 || !request || Math.abs(request.change_ms) < MIN_CHANGE_MS) return undefined
  return { name: switched[0].name, changeMs: request.change_ms }
}
