/**
 * A series as a forecaster sees it: raw columns, NaN where a value is missing. Targets are forecast; covariates are known up to
 * the present only, `known` columns ahead of it as well (the calendar, a plan), statics are one number for the whole series.
 */
import { labelsAfter } from './dates.ts'
import { InputError } from './input-error.ts'
import { datesOf, numbersOf, rowsOf, type Table } from './table.ts'

export interface Columns {
  targets: readonly string[]
  /** Known up to the first row that is forecast. */
  covariates: readonly string[]
  /** Known for the rows that are forecast, too. */
  known: readonly string[]
  /** One number a series: what sort of thing it is. */
  statics: readonly string[]
  /** Targets and covariates that get a partner which is 1 where a value was missing and 0 elsewhere. */
  indicators: readonly string[]
  /** The column of dates, if one was asked for by name. */
  date?: string
  /** The column that says which series of its table a row belongs to. */
  group?: string
}

export interface Series {
  /** The file's name, or that of one of its series, for messages, reports and scales. */
  name: string
  /** Under which a model keeps the scales of one series among many; default the name. */
  key?: string
  /** The name of the table that holds it beside others. */
  table?: string
  columns: Columns
  /** Targets, covariates, then known columns, which may be longer than `rows`. */
  values: readonly Float64Array[]
  statics: readonly number[]
  rows: number
  /** One a row: the dates, or row numbers from 1. */
  labels: readonly string[]
  /** Of the rows after the last, as far as known columns brought them along. */
  labelsAhead?: readonly string[]
  dateColumn?: string
}

/** Columns by name: numbers in the order of time, NaN where one is missing. */
export type NamedColumns = Record<string, ArrayLike<number>>

/**
 * A series from arrays.
 *
 * @param source.known may go on beyond the targets, as far as is known
 * @param source.indicators names of columns that get a missing-value indicator; default none
 * @param source.labels one a row; may go on as known columns do
 * @throws {InputError} if columns differ in length, a name comes twice, or a target is empty or all missing
 */
export function makeSeries(source: {
  name: string
  targets: NamedColumns
  covariates?: NamedColumns
  known?: NamedColumns
  statics?: Record<string, number>
  indicators?: readonly string[]
  labels?: readonly string[]
}): Series {
  const { name, targets, covariates = {}, known = {}, statics = {}, indicators = [], labels } = source
  const columns: Columns = {
    targets: Object.keys(targets),
    covariates: Object.keys(covariates),
    known: Object.keys(known),
    statics: Object.keys(statics),
    indicators,
  }
  const values = [targets, covariates, known].flatMap((group) =>
    Object.values(group).map((column) => Float64Array.from(column)),
  )
  const rows = values[0]?.length ?? 0
  if (rows === 0) throw new InputError(`${name}: expected at least one row of a target, got none`)
  const series: Series = {
    name,
    columns,
    values,
    statics: Object.values(statics),
    rows,
    labels: labels?.slice(0, rows) ?? numbered(rows),
    labelsAhead: labels?.slice(rows),
  }
  for (const [i, column] of columnNames(columns).entries()) {
    const { length } = values[i]
    const isKnown = i >= columns.targets.length + columns.covariates.length
    if (length === rows || (isKnown && length > rows)) continue
    throw new InputError(
      `${name}: expected ${rows} rows of "${column}", as of "${columns.targets[0]}", got ${length}`,
    )
  }
  return checked(series)
}

/**
 * The columns of a table that a forecast needs. With `known` columns, rows at the end that hold neither targets nor
 * covariates are the future.
 *
 * @param options.target the column to forecast, or several
 * @param options.statics columns that hold one number throughout; missing cells are passed over
 * @param options.missingIndicator adds an indicator for every column with missing values; `indicators` names them
 * @throws {InputError} if a column does not exist or holds something that is no number, or a target is all missing
 */
export function seriesOf(
  table: Table,
  options: {
    target: string | readonly string[]
    covariates?: readonly string[]
    known?: readonly string[]
    statics?: readonly string[]
    date?: string
    missingIndicator?: boolean
    indicators?: readonly string[]
  },
): Series {
  const { target, covariates = [], known = [], statics = [], missingIndicator = false } = options
  const targets = typeof target === 'string' ? [target] : target
  const read = [...targets, ...covariates].map((name) => numbersOf(table, name))
  const ahead = known.map((name) => numbersOf(table, name))
  let { rows } = table
  while (known.length > 0 && rows > 0 && read.every((column) => Number.isNaN(column[rows - 1]))) rows--
  const values = read.map((column) => column.subarray(0, rows))
  const gaps = [...targets, ...covariates].filter((_, i) => values[i].some(Number.isNaN))
  const dates = datesOf(table, options.date)
  return checked({
    name: table.name,
    columns: {
      targets,
      covariates,
      known,
      statics,
      indicators: options.indicators ?? (missingIndicator ? gaps : []),
      date: options.date,
    },
    values: [...values, ...ahead],
    statics: statics.map((name) => onlyNumber(table, name)),
    rows,
    labels: dates?.labels.slice(0, rows) ?? numbered(rows),
    labelsAhead: dates?.labels.slice(rows),
    dateColumn: dates?.column,
  })
}

/**
 * The series of a table in long form, in which the column `group` says what each row belongs to: one series for each of its
 * cells, in the order of their first rows, named `file: cell`. Without `group` the table is one series.
 *
 * With `missingIndicator` every series has an indicator for each column that has missing values in any of them.
 *
 * @throws {InputError} as `seriesOf`, and if a row belongs to none
 */
export function seriesByGroup(
  table: Table,
  { group, ...options }: Parameters<typeof seriesOf>[1] & { group?: string },
): Series[] {
  if (group === undefined) return [seriesOf(table, options)]
  const parts = rowsOf(table, group)
  const all = parts.map(({ cell, part }) => ({ ...seriesOf(part, options), key: cell, table: table.name }))
  const [{ columns: first }] = all
  const gaps = [...first.targets, ...first.covariates].filter((name) =>
    all.some(({ columns }) => columns.indicators.includes(name)),
  )
  const indicators = options.indicators ?? gaps
  return all.map((series) => ({ ...series, columns: { ...series.columns, indicators, group } }))
}

/** One series or many, as many. */
export function listOf(series: Series | readonly Series[]): readonly Series[] {
  return Array.isArray(series) ? (series as readonly Series[]) : [series as Series]
}

/** What tells a series from others: its key, or its name. */
export function keyOf({ key, name }: Pick<Series, 'key' | 'name'>): string {
  return key ?? name
}

/** The labels of the `count` rows after the last: those that came along, then what follows them; see `labelsAfter`. */
export function nextLabels({ labels, labelsAhead = [] }: Series, count: number): string[] {
  const given = labelsAhead.slice(0, count)
  return [...given, ...labelsAfter([...labels, ...given], count - given.length)]
}

/** Names in the order of `values`. */
export function columnNames({ targets, covariates, known }: Columns): string[] {
  return [...targets, ...covariates, ...known]
}

/** How many values are missing, by column; columns without gaps are left out. */
export function missingValues({ columns, values }: Series): { column: string; count: number }[] {
  return columnNames(columns)
    .map((column, i) => ({ column, count: values[i].filter(Number.isNaN).length }))
    .filter(({ count }) => count > 0)
}

function checked(series: Series): Series {
  const { name, columns, values } = series
  if (columns.targets.length === 0) throw new InputError(`${name}: expected at least one target, got none`)
  const names = [...columnNames(columns), ...columns.statics]
  const twice = names.find((each, i) => names.indexOf(each) !== i)
  if (twice !== undefined) throw new InputError(`the column "${twice}" is asked for twice`)
  const empty = values.findIndex((column) => column.every(Number.isNaN))
  if (empty >= 0) throw new InputError(`${name}: the column "${names[empty]}" holds no number at all`)
  const infinite = values.findIndex((column) => column.some((value) => Math.abs(value) === Infinity))
  if (infinite >= 0) throw new InputError(`${name}: the column "${names[infinite]}" holds an infinite number`)
  const noStatic = series.statics.findIndex((value) => !Number.isFinite(value))
  if (noStatic >= 0) {
    throw new InputError(
      `${name}: expected a finite number for "${columns.statics[noStatic]}", got ${series.statics[noStatic]}`,
    )
  }
  const past = [...columns.targets, ...columns.covariates]
  const odd = columns.indicators.find((each) => !past.includes(each))
  if (odd !== undefined)
    throw new InputError(`${name}: an indicator for "${odd}", which is neither target nor covariate`)
  return series
}

function onlyNumber(table: Table, column: string): number {
  const numbers = numbersOf(table, column).filter((value) => !Number.isNaN(value))
  const other = numbers.findIndex((value) => value !== numbers[0])
  if (other < 0) return numbers[0] ?? Number.NaN
  throw new InputError(
    `${table.name}: expected one number in the static column "${column}", got ${numbers[0]} and ${numbers[other]}`,
  )
}

function numbered(rows: number): string[] {
  return Array.from({ length: rows }, (_, i) => String(i + 1))
}
