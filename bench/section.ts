/** What every section of the bench has in common. */

export interface BenchOptions {
  /** How often everything is measured, interleaved. */
  rounds: number
  /** How long one measurement lasts. */
  seconds: number
  /** Requests a second. */
  rate: number
}

export interface Table {
  columns: string[]
  rows: (string | number)[][]
}

/** Something the project promises, and whether this run kept it. */
export interface Target {
  promise: string
  measured: string
  isMet: boolean
}

export interface SectionResult {
  title: string
  tables: Table[]
  targets: Target[]
  /** What to know when reading the figures: how they were taken, and what was noisy. */
  notes: string[]
  /** For --json: every single measurement. */
  measurements: unknown
  /** Bars with their spread; where there is one, it is also drawn. */
  chart?: Chart
}

export interface Chart {
  title: string
  unit: string
  bars: { label: string; value: number; low: number; high: number; isOurs: boolean }[]
}

export interface Section {
  name: string
  describes: string
  /** @param onStep told before each step what is done in it, of how many */
  run(options: BenchOptions, onStep: OnStep): Promise<SectionResult>
}

export type OnStep = (doing: string, step: number, steps: number) => void
