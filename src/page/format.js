/** Numbers as people read them. */
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })

/** 634.2 → `634`, 4.13 → `4.1`, 0.02 → `0` */
export function number(value) {
  const size = Math.abs(value)
  return size >= 10 || size < 0.05 ? whole.format(value) : oneDigit.format(value)
}

export function ms(value) {
  return `${number(value)} ms`
}

export function mb(value) {
  return `${oneDigit.format(value)} MB`
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
  return `${value < 0 ? '−' : '+'}${ms(Math.abs(value))}`
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
