export const BYTES_PER_MB = 1024 * 1024

/** @returns MB, down to about a hundred bytes */
export function toMb(bytes: number): number {
  return Math.round((bytes / BYTES_PER_MB) * 10_000) / 10_000
}
