/** A suggestion that follows from what was measured beneath a hot line, and from the text of that line. */
import type { Growth } from '../evidence/complexity.ts'
import type { HotFunction } from '../evidence/hot-functions.ts'
import type { SourceRange } from '../evidence/source-ranges.ts'

export interface HotLineFacts {
  hot: HotFunction
  place: string
  source: string | null
  /** The innermost loop that the line stands in. */
  loop: SourceRange | undefined
  growth?: Growth | undefined
}

type Rule = (facts: HotLineFacts) => string | undefined

/** The first that applies is given: the most specific stand first. */
const RULES: readonly Rule[] = [
  suggestForRegularExpression,
  suggestForSynchronousCall,
  suggestForBlocking,
  suggestForGarbage,
  suggestForSort,
  suggestForSerialization,
  suggestForGrowth,
  suggestForCallee
]

export function suggestFix(facts: HotLineFacts): string {
  for (const rule of RULES) {
    const suggestion = rule(facts)
    if (suggestion !== undefined) return suggestion
  }
  return `The time is spent on ${facts.place} itself: do that work less often, or on less data.`
}

function suggestForRegularExpression({ hot, place }: HotLineFacts): string | undefined {
  const [callee, share] = mainCallee(hot)
  if (!callee?.startsWith('RegExp: ') || share < 0.3) return undefined
  return (
    `The regular expression ${callee.slice('RegExp: '.length)} is what ${place} spends its time in. If it can match ` +
    'the same text in several ways (nested or adjacent quantifiers) it backtracks: make it unambiguous, or bound its input.'
  )
}

function suggestForSynchronousCall({ hot, source, place }: HotLineFacts): string | undefined {
  const [callee, share] = mainCallee(hot)
  if (!callee || share < 0.3) return undefined
  // The runtime's wrappers have names of their own (zlib's is syncBufferWrapper): the line says what was called.
  const call = callee.endsWith('Sync') ? callee : source?.match(/\w+Sync(?=\()/)?.[0]
  if (!call) return undefined
  return (
    `${call} on ${place} holds the event loop, and every other request with it: use the asynchronous form, ` +
    'or do it once and keep the result.'
  )
}

function suggestForBlocking({ hot, place }: HotLineFacts): string | undefined {
  if (hot.blockedMs < hot.costMs / 2) return undefined
  return `${place} blocks the event loop without computing: it waits inside a synchronous call. Use an asynchronous one.`
}

function suggestForGarbage({ hot, place }: HotLineFacts): string | undefined {
  const share = hot.gcMs / hot.costMs
  if (share < 0.3) return undefined
  return `${percent(share)} of it is garbage collection: allocate less around ${place} (reuse, or build the result once).`
}

function suggestForSort({ source, loop, place }: HotLineFacts): string | undefined {
  if (!source || !loop || !/\.(toSorted|sort)\(/.test(source)) return undefined
  return `${place} sorts again in every round of its loop: sort once after it, or keep the order while inserting.`
}

function suggestForSerialization({ source, hot, place }: HotLineFacts): string | undefined {
  const [callee, share] = mainCallee(hot)
  const cloned = callee === 'structuredClone' && share > 0.3
  const call = cloned ? 'structuredClone' : source?.match(/JSON\.(parse|stringify)|structuredClone/)?.[0]
  if (!call) return undefined
  return `${call} on ${place} walks the whole value each time: do it once and keep the result, or on less data.`
}

function suggestForGrowth({ growth, place }: HotLineFacts): string | undefined {
  if (!growth || growth.low < 1.4) return undefined
  return (
    `The time grows like ${growth.attribute}^${growth.exponent.toFixed(1)}: ${place} does again for every item what ` +
    'one pass could do once. Index what it looks for (a Map or Set), or carry the result along.'
  )
}

function suggestForCallee({ hot, place }: HotLineFacts): string | undefined {
  const [callee, share] = mainCallee(hot)
  if (!callee || share < 0.5) return undefined
  return `${place} spends ${percent(share)} of its time in ${callee}: call it less often, or with less.`
}

function mainCallee(hot: HotFunction): [name: string | undefined, share: number] {
  let name: string | undefined
  let most = 0
  for (const [callee, ms] of hot.callees) {
    if (ms > most) {
      most = ms
      name = callee
    }
  }
  return [name, most / hot.costMs]
}

/** @param share 0..1 @returns e.g. `37 %` */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
