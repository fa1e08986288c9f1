/** How a setting's text becomes a value, and what is said when it can't. */
import { inspect } from 'node:util'
import { z } from 'zod'

/** A value that no log, JSON or error message shows by accident; only `reveal()` gives it out. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [inspect.custom](): string {
    return '[secret]'
  }
}

function numberBetween(min: number, max: number, kind: 'a number' | 'a whole number') {
  return z.string().transform(function toNumber(text, ctx) {
    const value = Number(text)
    const isRightKind = kind === 'a number' ? Number.isFinite(value) : Number.isInteger(value)
    if (isRightKind && value >= min && value <= max) return value
    ctx.addIssue(`must be ${kind} from ${min} to ${max}, not "${text}"`)
    return z.NEVER
  })
}

export const wholeNumber = (min: number, max: number) => numberBetween(min, max, 'a whole number')
export const decimal = (min: number, max: number) => numberBetween(min, max, 'a number')
export const list = () => z.string().transform((text) => text.split(',').map((item) => item.trim()))

/** The message leaves the value out: an address may hold a password. */
export function address(...protocols: string[]) {
  return z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
      error: `must be an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`
    })
    .transform((text) => text.replace(/\/+$/, ''))
}
export const webAddress = () => address('http:', 'https:')

export function flag() {
  return z.string().transform(function toFlag(text, ctx) {
    if (/^(true|1)$/i.test(text)) return true
    if (/^(false|0)$/i.test(text)) return false
    ctx.addIssue(`must be true or false, not "${text}"`)
    return z.NEVER
  })
}

export function oneOf<const T extends string>(...names: T[]) {
  return z.enum(names, { error: (issue) => `must be one of ${names.join(', ')}, not "${issue.input}"` })
}

export const secret = () => z.string().transform((text) => new Secret(text))

/** `name=value` pairs, comma-separated, each value read by `parse`. */
export function pairs<T>(shape: string, parse: (text: string) => T | undefined) {
  return z.string().transform(function toPairs(text, ctx) {
    const result: Record<string, T> = {}
    for (const pair of text.split(',')) {
      const [name = '', value = ''] = pair.split('=').map((part) => part.trim())
      const parsed = parse(value)
      if (name === '' || parsed === undefined) ctx.addIssue(`must be ${shape}, not "${pair}"`)
      else result[name] = parsed
    }
    return result
  })
}

/** US dollars per million tokens. */
export interface ModelPrice {
  promptUsd: number
  completionUsd: number
}

export function parsePrice(text: string): ModelPrice | undefined {
  const match = /^(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)$/.exec(text)
  return match ? { promptUsd: Number(match[1]), completionUsd: Number(match[2]) } : undefined
}
