/**
 * A CSV file with a header as named columns of text, and what a forecaster reads from it: numbers, with NaN where a
 * value is missing, and the labels of a date column. It does not fill, scale or split anything.
 */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { CsvError, parse } from 'csv-parse/sync'
import { nearestName } from '../errors.ts'
import { looksLikeDate } from './dates.ts'
import { InputError } from './input-error.ts'

/** Cells that stand for "no value", compared without case. */
export const missingMarks: readonly string[] = ['', 'na', 'n/a', 'nan', 'null', 'none', '?', '-']

const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

export interface Table {
  /** The file's name, for messages. */
  name: string
  /** Column names in the order of the header. */
  header: readonly string[]
  /** Cells without surrounding blanks, by column name. */
  columns: ReadonlyMap<string, readonly string[]>
  /** How many rows follow the header. */
  rows: number
  /** The line of the file that each row ends on, counted from 1. */
  lines: readonly number[]
}

/**
 * Reads a CSV file: a header, then rows separated by commas, semicolons or tabs.
 *
 * @throws {InputError} if there is no such file, or it is no table; see `parseTable`
 */
export async function readTable(path: string): Promise<Table> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new InputError(`${path}: no such file`)
    if (code === 'EISDIR') throw new InputError(`${path}: expected a CSV file, got a directory`)
    throw new InputError(`${path}: cannot be read (${code})`)
  }
  return parseTable(text, { name: basename(path) })
}

/**
 * The table in a CSV text (RFC 4180; a byte order mark, blank lines and blanks around cells are passed over).
 *
 * @throws {InputError} if the text is empty, has no header, names a column twice, or a row has another width
 */
export function parseTable(text: string, { name = 'table' }: { name?: string } = {}): Table {
  const records = parseRecords(text, name)
  if (records.length === 0) throw new InputError(`${name}: expected a header and rows, got an empty file`)
  const [header, ...rows] = records.map(({ record }) => record)
  if (header.every((cell) => number.test(cell))) {
    throw new InputError(
      `${name}: expected a header with column names on line 1, got numbers (${header.join(', ')})`,
    )
  }
  const twice = header.find((column, i) => header.indexOf(column) !== i)
  if (twice !== undefined) throw new InputError(`${name}: the header names the column "${twice}" twice`)
  if (rows.length === 0) throw new InputError(`${name}: expected rows below the header, got none`)
  const columns = new Map(header.map((column, i) => [column, rows.map((row) => row[i])]))
  const lines = records.slice(1).map(({ info }) => info.lines)
  return { name, header, columns, rows: rows.length, lines }
}

/**
 * The numbers of a column, NaN where a cell holds one of `missingMarks`.
 *
 * @throws {InputError} if there is no such column, or a cell is neither a finite number nor missing: names the row
 */
export function numbersOf(table: Table, column: string): Float64Array {
  return Float64Array.from(cellsOf(table, column), (cell, row) => {
    if (number.test(cell) && Number.isFinite(Number(cell))) return Number(cell)
    if (missingMarks.includes(cell.toLowerCase())) return Number.NaN
    throw new InputError(
      `${place(table, row)}, column "${column}": expected a finite number, got ${JSON.stringify(cell)}`,
    )
  })
}

/**
 * The labels of the rows: the cells of the column `name`, or of the first one whose cells are all dates, or undefined.
 *
 * @throws {InputError} if the column named does not exist, or the dates do not increase from row to row
 */
export function datesOf(
  table: Table,
  name?: string,
): { column: string; labels: readonly string[] } | undefined {
  const column = name ?? table.header.find((candidate) => table.columns.get(candidate)!.every(looksLikeDate))
  if (column === undefined) return undefined
  const labels = cellsOf(table, column)
  const late = labels.findIndex((label, i) => i > 0 && looksLikeDate(label) && label <= labels[i - 1])
  if (late > 0) {
    throw new InputError(
      `${place(table, late)}, column "${column}": expected rows in the order of time, ` +
        `got ${labels[late]} after ${labels[late - 1]}`,
    )
  }
  return { column, labels }
}

/**
 * The rows of a table by the cells of a column, a table each, in the order of their first rows.
 *
 * @throws {InputError} if there is no such column, or a cell of it is empty
 */
export function rowsOf(table: Table, column: string): { cell: string; part: Table }[] {
  const positions = new Map<string, number[]>()
  for (const [row, cell] of cellsOf(table, column).entries()) {
    if (cell === '') {
      throw new InputError(
        `${place(table, row)}, column "${column}": expected what the row belongs to, got an empty cell`,
      )
    }
    const known = positions.get(cell)
    if (known) known.push(row)
    else positions.set(cell, [row])
  }
  return Array.from(positions, ([cell, rows]) => {
    const columnOf = (name: string) => rows.map((row) => table.columns.get(name)![row])
    const part = {
      name: `${table.name}: ${cell}`,
      header: table.header,
      columns: new Map(table.header.map((name) => [name, columnOf(name)])),
      rows: rows.length,
      lines: rows.map((row) => table.lines[row]),
    }
    return { cell, part }
  })
}

function cellsOf(table: Table, column: string): readonly string[] {
  const cells = table.columns.get(column)
  if (cells) return cells
  const nearest = nearestName(column, table.header)
  const hint = nearest ? `did you mean "${nearest}"?` : `the columns are ${table.header.join(', ')}`
  throw new InputError(`${table.name}: no column "${column}"; ${hint}`)
}

function place(table: Table, row: number): string {
  return `${table.name}: row ${row + 1} (line ${table.lines[row]})`
}

interface Parsed {
  record: string[]
  info: { lines: number }
}

function parseRecords(text: string, name: string): Parsed[] {
  try {
    const options = {
      trim: true,
      skip_empty_lines: true,
      info: true,
      delimiter: delimiterOf(text),
    }
    return parse(text, options) as unknown as Parsed[]
  } catch (error) {
    if (error instanceof CsvError) throw new InputError(`${name}: ${error.message}`)
    throw error
  }
}

/** The separator that the header uses most: spreadsheets of many countries write semicolons. */
function delimiterOf(text: string): string {
  const header = text.slice(0, text.search(/\r?\n|$/))
  const count = (mark: string) => header.split(mark).length
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best))
}
