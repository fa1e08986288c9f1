/** Numbers as people read them. */
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })
const usdDigits = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

/** 634.2 → `634`, 4.13 → `4.1`, 0.02 → `0` */
export function number(value) {
  const size = Math.abs(value)
  return size >= 10 || size < 0.05 ? whole.format(value) : oneDigit.format(value)
}

/** How often: 41 → `41 times`, 1 → `once`, 1.5 → `1.5 times` */
export function times(n) {
  if (n === 1) return 'once'
  return `${Number.isInteger(n) ? whole.format(n) : number(n)} times`
}

export function ms(value) {
  return `${number(value)} ms`
}

export function mb(value) {
  return `${oneDigit.format(value)} MB`
}

/** @param {number} bytes → `812 B`, `48 KB`, `1.3 MB` */
export function size(bytes) {
  if (Math.abs(bytes) < 1024) return `${whole.format(bytes)} B`
  if (Math.abs(bytes) < 1024 ** 2) return `${number(bytes / 1024)} KB`
  return mb(bytes / 1024 ** 2)
}

/** 0.05612 → `$0.0561` */
export function usd(value) {
  return `$${usdDigits.format(value)}`
}

/** @param {number} share 0..1 */
export function percent(share) {
  return `${number(share * 100)} %`
}

/** `−71 %`, with a real minus; `±0 %` where nothing changed */
export function change(before, after) {
  if (before === 0) return after === 0 ? '±0 %' : 'new'
  const points = Math.round(((after - before) / before) * 100)
  if (points === 0) return '±0 %'
  return `${points < 0 ? '−' : '+'}${whole.format(Math.abs(points))} %`
}

export function signedMs(value) {
  return signed(value, ms)
}

/** @param {(size: number) => string} format of what has no sign */
export function signed(value, format) {
  return `${value < 0 ? '−' : '+'}${format(Math.abs(value))}`
}

export function count(n, noun) {
  return `${whole.format(n)} ${noun}${n === 1 ? '' : 's'}`
}

export function duration(seconds) {
  if (seconds < 90) return `${whole.format(seconds)} s`
  if (seconds < 5400) return `${whole.format(seconds / 60)} min`
  return `${whole.format(seconds / 3600)} h`
}

export function clock(isoTime) {
  return new Date(isoTime).toLocaleTimeString('en-GB')
}
