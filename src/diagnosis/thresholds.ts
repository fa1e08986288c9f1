/** From where on a measurement is called a fault, and below which nothing is reported at all. */

/** Ten samples at 99 Hz: fewer than that name a line by chance. */
export const MIN_FAULT_SAMPLES = 10

/** Less than this a request is not worth a reader's time. */
export const MIN_REPORTED_CPU_MS = 2

/** Waiting below this disappears in scheduling. */
export const MIN_REPORTED_WAIT_MS = 20

/** Waiting that no child span explains becomes a fault from here on: somebody has to look at what it is. */
export const MIN_UNEXPLAINED_WAIT_MS = 100

/** Waiting for another service's answers from here on is a fault, though not of this code; a language model may take longer. */
export const MIN_SLOW_CALL_MS = 200

/** A span that stands behind others for less of its time than this is slow for reasons of its own. */
export const MIN_BEHIND_SHARE = 0.25

/** A statement that takes this long on its own, as a rule … */
export const MIN_SLOW_STATEMENT_MS = 100

/** … or once: a crowded machine holds one execution up for some tenths of a second, a lock for longer. */
export const MIN_OUTLIER_STATEMENT_MS = 1_000

/** A statement is a fault from here on per request where its plan says what is wrong with it. */
export const MIN_EXPLAINED_STATEMENT_MS = 20

/** Rows that a request has read in vain, for want of an index: 1 to 5 ms, and more with every row that is added. */
export const MIN_WASTED_ROWS = 10_000

/** A cost that hits few requests is a fault where one of them pays this many times the threshold. */
export const OUTLIER_FACTOR = 5

/** Work outside any span is a fault from this share of a core on: every request waits behind it. */
export const MIN_BACKGROUND_SHARE = 0.1

/** Repeats in a model's input, as tokens a request and as a share of the input: worth a reader's time, … */
export const MIN_REPORTED_REPEATS = { tokens: 50, share: 0.05 }
/** … and a fault: a quarter of the bill. */
export const MIN_FAULT_REPEATS = { tokens: 100, share: 0.25 }
