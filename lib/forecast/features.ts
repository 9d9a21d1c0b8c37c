/**
 * What the network sees of a series: scaled columns without gaps, put together row by row when a batch is made.
 *
 * A missing value takes the last one known before it; before the first, it is the mean of the training part. Nothing
 * is taken from the future. Targets that were missing are never trained on nor scored.
 */
import type { Scale } from './scaling.ts'
import { columnNames, type Series } from './series.ts'

export interface Features {
  name: string
  rows: number
  /** Targets, and all numbers of a row: K and F. */
  K: number
  F: number
  /** [rows, P] scaled targets, covariates, indicators. */
  past: Float32Array
  P: number
  /** [rowsAhead, A] scaled known columns. */
  ahead: Float32Array
  A: number
  rowsAhead: number
  /** Rows of `ahead` that stand beside each row, from the one after it on. */
  leads: number
  statics: readonly number[]
  /** The filled targets in their own unit, which baselines use. */
  targets: readonly Float64Array[]
  /** Of the targets. */
  scales: readonly Scale[]
  /** [rows, K] 1 where the target was given, 0 where it is filled. */
  given: Uint8Array
}

/** What decides a row's layout: targets, covariates, indicators, `leads` times the known columns, statics. */
export interface FeatureScales {
  /** In the order of `columnNames`. */
  scales: readonly Scale[]
  statics: readonly Scale[]
  /** How many rows ahead a row shows of the known columns. */
  leads: number
}

/** How many numbers a row has. */
export function featureCount({ columns }: Series, leads: number): number {
  const { targets, covariates, indicators, known, statics } = columns
  return targets.length + covariates.length + indicators.length + leads * known.length + statics.length
}

/** Fills and scales a series: (value - mean) / deviation, indicators as 0 and 1. */
export function featuresOf(series: Series, { scales, statics, leads }: FeatureScales): Features {
  const { values, columns, rows } = series
  const names = columnNames(columns)
  const K = columns.targets.length
  const pastColumns = K + columns.covariates.length
  const filled = values.map((column, i) => carryForward(column, scales[i].mean))
  const scaled = filled.map((column, i) => ({ column, ...scales[i] }))
  const flagged = columns.indicators.map((name) => values[names.indexOf(name)])
  const P = pastColumns + flagged.length
  const past = new Float32Array(rows * P)
  for (let row = 0; row < rows; row++) {
    for (const [i, { column, mean, deviation }] of scaled.slice(0, pastColumns).entries()) {
      past[row * P + i] = (column[row] - mean) / deviation
    }
    for (const [i, column] of flagged.entries())
      past[row * P + pastColumns + i] = Number.isNaN(column[row]) ? 1 : 0
  }
  const A = columns.known.length
  const rowsAhead = A > 0 ? Math.min(...values.slice(pastColumns).map(({ length }) => length)) : 0
  const ahead = new Float32Array(rowsAhead * A)
  for (const [i, { column, mean, deviation }] of scaled.slice(pastColumns).entries()) {
    for (let row = 0; row < rowsAhead; row++) ahead[row * A + i] = (column[row] - mean) / deviation
  }
  return {
    name: series.name,
    rows,
    K,
    F: featureCount(series, leads),
    past,
    P,
    ahead,
    A,
    rowsAhead,
    leads,
    statics: series.statics.map((value, i) => (value - statics[i].mean) / statics[i].deviation),
    targets: filled.slice(0, K),
    scales: scales.slice(0, K),
    given: Uint8Array.from({ length: rows * K }, (_, i) =>
      Number.isNaN(values[i % K][Math.floor(i / K)]) ? 0 : 1,
    ),
  }
}

/** Writes the F numbers of a row at `at`: what is known after it, but for the known columns, does not enter. */
export function writeRow(features: Features, row: number, array: Float32Array, at: number): void {
  const { past, P } = features
  array.set(past.subarray(row * P, (row + 1) * P), at)
  writeAhead(features, row, array, at)
}

/** Writes the part of a row that does not depend on its targets and covariates. */
export function writeAhead(features: Features, row: number, array: Float32Array, at: number): void {
  const { P, ahead, A, leads, statics, F } = features
  if (A > 0) array.set(ahead.subarray((row + 1) * A, (row + 1 + leads) * A), at + P)
  if (statics.length > 0) array.set(statics, at + F - statics.length)
}

/** Whether all targets are given in rows [from, to). */
export function isGiven({ given, K }: Pick<Features, 'given' | 'K'>, from: number, to: number): boolean {
  return !given.subarray(from * K, to * K).includes(0)
}

function carryForward(column: Float64Array, start: number): Float64Array {
  let last = start
  return column.map((value) => (last = Number.isNaN(value) ? last : value))
}
