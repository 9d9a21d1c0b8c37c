/** What the recipes that forecast share: tables checked before anything is learned from them, and a linear yardstick. */
import { DataError } from 'lstm-native'
import { InputError, numbersOf, readTable, type Table } from 'lstm-native/forecast'

/**
 * A CSV file with these columns, the first of which is forecast.
 *
 * @param options.least fewer rows are a file cut off
 * @throws {DataError} for anything else, an empty series or a cell that is no number among them
 */
export async function readColumns(
  path: string,
  { columns, least }: { columns: readonly string[]; least: number },
): Promise<{ table: Table; values: ReadonlyMap<string, Float64Array> }> {
  try {
    const table = await readTable(path)
    const values = new Map(columns.map((name) => [name, numbersOf(table, name)]))
    if (table.rows < least) {
      const got = `${table.rows}, the last on line ${table.lines[table.rows - 1]}`
      throw new DataError({
        file: path,
        expected: `at least ${least} rows`,
        got,
        fix: 'the file is cut off; fetch it anew',
      })
    }
    const empty = columns.find((name) => values.get(name)!.every(Number.isNaN))
    if (empty !== undefined)
      throw new DataError({ file: path, place: `column "${empty}"`, expected: 'numbers', got: 'none' })
    return { table, values }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const expected = `a table with the columns ${columns.join(', ')}`
    throw new DataError({ file: path, expected, got: error.message, cause: error })
  }
}

/**
 * Least squares: the weights w of the smallest Σ (w·x - y)² over rows of features, by the normal equations. A feature that
 * depends on those before it, such as one that is always 0, gets no weight.
 */
export function leastSquares(rows: readonly (readonly number[])[], targets: readonly number[]): number[] {
  const F = rows[0].length
  // [F, F + 1]: XᵀX beside Xᵀy, then Gaussian elimination without pivots, since XᵀX is positive definite.
  const system = Array.from({ length: F }, () => new Float64Array(F + 1))
  for (const [n, row] of rows.entries()) {
    for (let i = 0; i < F; i++) {
      for (let j = 0; j < F; j++) system[i][j] += row[i] * row[j]
      system[i][F] += row[i] * targets[n]
    }
  }
  const squares = system.map((row, i) => Math.max(row[i], Number.MIN_VALUE))
  for (let i = 0; i < F; i++) {
    // What is left of a feature's own square once those before it are taken out.
    if (system[i][i] <= 1e-9 * squares[i]) {
      for (const row of system) row[i] = 0
      system[i].fill(0)[i] = 1
    }
    for (let k = i + 1; k < F; k++) {
      const factor = system[k][i] / system[i][i]
      for (let j = i; j <= F; j++) system[k][j] -= factor * system[i][j]
    }
  }
  const weights = new Array<number>(F).fill(0)
  for (let i = F - 1; i >= 0; i--) {
    let sum = system[i][F]
    for (let j = i + 1; j < F; j++) sum -= system[i][j] * weights[j]
    weights[i] = sum / system[i][i]
  }
  return weights
}

/** w·x */
export function applied(weights: readonly number[], row: readonly number[]): number {
  return row.reduce((sum, x, i) => sum + x * weights[i], 0)
}
