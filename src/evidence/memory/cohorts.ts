/**
 * The verdict from cohort survival, over two or three looks at the same process. A leak has survivors of every cohort;
 * warm-up only of the oldest; a full cache, a ring or garbage only of the newest. A cache that still fills looks like a
 * leak until it is full: hence the later looks, many more iterations on.
 */
import { sum } from '../tally.ts'

export interface HoldingCount {
  /** Surviving objects and their bytes, by cohort. */
  counts: readonly number[]
  bytes: readonly number[]
  /** The table or array that holds them, which a larger one replaces as it grows. */
  storeBytes: number
  /** Its entries, which tell more exactly than the bytes whether it grows; 0 where they are not known. */
  storeEntries: number
  /** Those of them that a cohort allocated, by cohort. */
  storeCounts: readonly number[]
}

export interface Look<H extends HoldingCount = HoldingCount> {
  /** By a key that is the same in every look. */
  holdings: ReadonlyMap<string, H>
  /** Iterations by cohort; a later look adds cohorts. */
  cohortIterations: readonly number[]
  /** Iterations since the process began. */
  done: number
  /** Bytes in use, garbage left out, before the first cohort and after each. */
  usedBytes: readonly number[]
}

/** `open`: too few iterations to tell. */
export type HoldingVerdict = 'leak' | 'bounded' | 'innocent' | 'open'

/** Of the first cohorts this share must have survivors: a leak at every tenth iteration leaves some cohorts out. */
const MIN_COHORT_SHARE = 0.5
/** A leak that comes by chance may leave some cohorts out, but not just the oldest, where the others have so many. */
const MIN_EMPTY_COHORTS = 2
const MIN_WINDOW_COUNT = 8
/** With less, what V8 itself takes and frees meanwhile, 60 KB, would decide whether memory grew. */
const MIN_WINDOW_BYTES = 128 * 1024
/** What is thrown out for the newest makes room for them; what only began late does not. */
const MAX_WINDOW_GROWTH = 0.5
/** Fewer than this share of the old survivors still there: they are being thrown out. */
const MIN_OLD_ALIVE = 0.5
/** Fewer newcomers an iteration than this share of the first rate: it is filling up. */
const MIN_LATE_RATE = 0.3
/** Fewer objects an iteration than this are no cache that filled but some initialization. */
const MIN_CACHE_RATE = 0.1
/** Of straight growth this share is a leak; a table or a string that doubles at once may have been too large before. */
const MIN_STRAIGHT_GROWTH = 0.4
/** So close to what was there before is no growth. */
const MAX_CONSTANT = 1.1
/** So many times the iterations of the first look tell survivors that come and go from those that stay … */
const MIN_SPREAD_FACTOR = 1.3
/** … and one doubling from growth: nothing is open after so many. */
export const ENOUGH_FACTOR = 4
/** A pointer or a number an iteration: the least that a growing array can take. */
const MIN_REPLACED_BYTES_PER_ITERATION = 4

/** @returns whether a holding looks guilty at the first look: to be looked at again */
export function isSuspect(holding: HoldingCount, look: Look): boolean {
  if (isFullWindow(holding, look)) return false
  return isSpread(holding) || totalBytes(holding) >= MIN_REPLACED_BYTES_PER_ITERATION * look.done
}

/** Judges a suspect of the first look by all looks. */
export function judge(key: string, looks: readonly Look[]): HoldingVerdict {
  const first = looks[0]
  const suspect = first?.holdings.get(key)
  if (!first || !suspect) return 'innocent'
  const later = looks.slice(1)
  const verdicts = later.map((look) =>
    isSpread(suspect) ? judgeSpread(key, first, look) : judgeReplaced(key, first, look)
  )
  // One look that clears it is enough; of the others the last, which saw most, counts.
  return (
    verdicts.find((verdict) => verdict === 'innocent' || verdict === 'bounded') ?? verdicts.at(-1) ?? 'open'
  )
}

/** Survivors of old and new cohorts alike. */
function isSpread({ counts }: HoldingCount): boolean {
  const half = counts.length / 2
  const present = counts.flatMap((count, cohort) => (count > 0 ? [cohort] : []))
  const hasOld = present.some((cohort) => cohort < half)
  const hasNew = present.some((cohort) => cohort >= half)
  return hasOld && hasNew && present.length >= counts.length * MIN_COHORT_SHARE
}

/** Many of each new cohort, and none at all of the oldest ones: they were there, and have been thrown out. */
function isWindow(counts: readonly number[]): boolean {
  const firstKept = counts.findIndex((count) => count > 0)
  const kept = counts.slice(firstKept)
  return firstKept >= MIN_EMPTY_COHORTS && kept.length > 1 && kept.every((count) => count >= MIN_WINDOW_COUNT)
}

/** @returns whether something keeps what the newest iterations made, and nothing of the others */
export function keepsOnlyNewest(look: Look): boolean {
  return [...look.holdings.values()].some((holding) => isFullWindow(holding, look))
}

/** Keeps only the newest, in itself or in its store, and took no more memory for them. */
function isFullWindow(holding: HoldingCount, { usedBytes }: Look): boolean {
  const counts = findWindow(holding)
  if (counts === undefined || totalBytes(holding) < MIN_WINDOW_BYTES) return false
  const firstKept = counts.findIndex((count) => count > 0)
  const growthBytes = (usedBytes.at(-1) ?? 0) - (usedBytes[firstKept] ?? 0)
  return growthBytes <= totalBytes(holding) * MAX_WINDOW_GROWTH
}

/** A full cache's table is replaced as well now and then, by one of the same size. */
function findWindow({ counts, storeEntries, storeCounts }: HoldingCount): readonly number[] | undefined {
  if (isWindow(counts)) return counts
  return sum(storeCounts) === storeEntries && isWindow(storeCounts) ? storeCounts : undefined
}

function judgeSpread(key: string, first: Look, later: Look): HoldingVerdict {
  const before = first.holdings.get(key)?.counts ?? []
  const now = later.holdings.get(key)?.counts ?? []
  const oldCohorts = before.length / 2
  const firstRate = sum(before) / sum(first.cohortIterations)
  const lateRate = (now.at(-1) ?? 0) / (later.cohortIterations.at(-1) ?? 1)
  const areOldAlive = sum(now.slice(0, oldCohorts)) >= sum(before.slice(0, oldCohorts)) * MIN_OLD_ALIVE
  if (areOldAlive && lateRate >= firstRate * MIN_LATE_RATE) {
    return later.done >= first.done * MIN_SPREAD_FACTOR ? 'leak' : 'open'
  }
  return firstRate >= MIN_CACHE_RATE ? 'bounded' : 'innocent'
}

function judgeReplaced(key: string, first: Look, later: Look): HoldingVerdict {
  const before = first.holdings.get(key)
  const now = later.holdings.get(key)
  if (!before || !now) return 'innocent'
  const growth =
    before.storeEntries > 0 && now.storeEntries > 0
      ? now.storeEntries / before.storeEntries
      : totalBytes(now) / totalBytes(before)
  const factor = later.done / first.done
  if (growth <= MAX_CONSTANT || growth < factor * MIN_STRAIGHT_GROWTH) return 'innocent'
  return factor >= ENOUGH_FACTOR ? 'leak' : 'open'
}

/**
 * What one lets go another may hold as well, and so may what comes after it.
 * @returns how much of what is alive in `before` is dead in `after`, in bytes: of the holder, and of all together
 */
export function countDeadBytes(key: string, before: Look, after: Look): { own: number; all: number } {
  const cohorts = before.cohortIterations.length
  function countAlive({ holdings }: Look, keys: Iterable<string>): number {
    return sum([...keys].flatMap((each) => holdings.get(each)?.bytes.slice(0, cohorts) ?? []))
  }
  return {
    own: countAlive(before, [key]) - countAlive(after, [key]),
    all: countAlive(before, before.holdings.keys()) - countAlive(after, after.holdings.keys())
  }
}

export function totalBytes({ bytes, storeBytes }: HoldingCount): number {
  return sum(bytes) + storeBytes
}
