/**
 * The columns a forecaster looks at, complete: the target first, then the covariates, then the indicators. Knows how
 * missing values are filled and how columns are scaled; a model file keeps both, so that new data is treated alike.
 *
 * A missing value takes the last one known before it; before the first, it is the mean of the training part. Nothing
 * is taken from the future. Targets that were missing are never trained on nor scored: see `usableOrigins`.
 */
import { InputError } from './input-error.ts'
import { datesOf, numbersOf, type Table } from './table.ts'

export interface Columns {
  target: string
  covariates: readonly string[]
  /** Columns that get a partner which is 1 where a value was missing and 0 elsewhere. */
  indicators: readonly string[]
  /** The column of dates, if one was asked for by name. */
  date?: string
}

export interface Scale {
  mean: number
  deviation: number
}

/** Raw columns, NaN where a value is missing. */
export interface Series {
  /** The file's name, for messages and reports. */
  name: string
  columns: Columns
  /** Target first, then the covariates. */
  values: readonly Float64Array[]
  rows: number
  /** One a row: the dates, or row numbers from 1. */
  labels: readonly string[]
  dateColumn?: string
}

/** Scaled columns without gaps, row by row, ready for windows. */
export interface Features {
  /** [rows, F] in row-major order; column 0 is the target. */
  data: Float32Array
  F: number
  /** The filled target in its own unit, which baselines use. */
  target: Float64Array
  /** 1 where the target was given, 0 where it is filled. */
  known: Uint8Array
}

/**
 * The columns of a table that a forecast needs.
 *
 * @param options.missingIndicator adds an indicator for every column with missing values; `indicators` names them
 * @throws {InputError} if a column does not exist or holds something that is no number, or the target is all missing
 */
export function seriesOf(
  table: Table,
  options: {
    target: string
    covariates?: readonly string[]
    date?: string
    missingIndicator?: boolean
    indicators?: readonly string[]
  },
): Series {
  const { target, covariates = [], missingIndicator = false } = options
  const names = [target, ...covariates]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new InputError(`the column "${twice}" is asked for twice`)
  const values = names.map((name) => numbersOf(table, name))
  const empty = values.findIndex((column) => column.every(Number.isNaN))
  if (empty >= 0) throw new InputError(`${table.name}: the column "${names[empty]}" holds no number at all`)
  const gaps = names.filter((_, i) => values[i].some(Number.isNaN))
  const dates = datesOf(table, options.date)
  return {
    name: table.name,
    columns: {
      target,
      covariates,
      indicators: options.indicators ?? (missingIndicator ? gaps : []),
      date: options.date,
    },
    values,
    rows: table.rows,
    labels: dates?.labels ?? Array.from({ length: table.rows }, (_, i) => String(i + 1)),
    dateColumn: dates?.column,
  }
}

/** How many values are missing, by column; columns without gaps are left out. */
export function missingValues({ columns, values }: Series): { column: string; count: number }[] {
  return [columns.target, ...columns.covariates]
    .map((column, i) => ({ column, count: values[i].filter(Number.isNaN).length }))
    .filter(({ count }) => count > 0)
}

/**
 * Mean and standard deviation of each column over the first `rows` rows, the training part, without the missing ones.
 * A constant column gets a deviation of 1.
 */
export function fitScales({ values, columns, name }: Series, { rows }: { rows: number }): Scale[] {
  return values.map((column, i) => {
    const known = column.subarray(0, rows).filter((value) => !Number.isNaN(value))
    if (known.length === 0) {
      const label = [columns.target, ...columns.covariates][i]
      throw new InputError(
        `${name}: the column "${label}" holds no number in the training part (rows 1 to ${rows})`,
      )
    }
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length
    const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length
    return { mean, deviation: Math.sqrt(variance) || 1 }
  })
}

/** Fills and scales a series: (value - mean) / deviation, indicators as 0 and 1. */
export function featuresOf({ values, columns, rows }: Series, scales: readonly Scale[]): Features {
  const names = [columns.target, ...columns.covariates]
  const flagged = columns.indicators.map((name) => values[names.indexOf(name)])
  const filled = values.map((column, i) => carryForward(column, scales[i].mean))
  const F = values.length + flagged.length
  const data = new Float32Array(rows * F)
  for (let row = 0; row < rows; row++) {
    for (const [i, { mean, deviation }] of scales.entries())
      data[row * F + i] = (filled[i][row] - mean) / deviation
    for (const [i, column] of flagged.entries())
      data[row * F + values.length + i] = Number.isNaN(column[row]) ? 1 : 0
  }
  return {
    data,
    F,
    target: filled[0],
    known: Uint8Array.from(values[0], (value) => (Number.isNaN(value) ? 0 : 1)),
  }
}

/**
 * The origins o in [from, to) from which a forecast of rows o … o + horizon - 1 can be made out of `input` rows before
 * o and checked against known values of the target, all of them before row `to`.
 */
export function usableOrigins(
  { known }: Pick<Features, 'known'>,
  { from, to, input, horizon }: { from: number; to: number; input: number; horizon: number },
): number[] {
  const origins: number[] = []
  for (let origin = Math.max(from, input); origin + horizon <= to; origin++) {
    if (known.subarray(origin, origin + horizon).every((flag) => flag === 1)) origins.push(origin)
  }
  return origins
}

function carryForward(column: Float64Array, start: number): Float64Array {
  let last = start
  return column.map((value) => (last = Number.isNaN(value) ? last : value))
}
