/** Scales of a series' columns: fitted on its training part, kept in the model file, applied to new data alike. */
import { InputError } from './input-error.ts'
import { columnNames, type Series } from './series.ts'

/** A value v stands in the network as (v - mean) / deviation. */
export interface Scale {
  mean: number
  deviation: number
}

/**
 * How targets are scaled: 'standard' subtracts the mean and divides by the standard deviation, 'meanAbs' divides by
 * 1 + mean |v|, as DeepAR (Salinas et al. 2020) does where series differ in size by orders, 'none' leaves them.
 */
export type Scaling = 'standard' | 'meanAbs' | 'none'

export const scalings: readonly Scaling[] = ['standard', 'meanAbs', 'none']

/**
 * The scales of each column over the first `rows` rows, the training part, without the missing ones. Covariates and known
 * columns are standardised. A constant column gets a deviation of 1.
 *
 * @throws {InputError} if a column holds no number there
 */
export function fitScales(
  { values, columns, name }: Series,
  { rows, scaling = 'standard' }: { rows: number; scaling?: Scaling },
): Scale[] {
  const names = columnNames(columns)
  return values.map((column, i) => {
    const part = column.subarray(0, rows).filter((value) => !Number.isNaN(value))
    if (part.length === 0) {
      throw new InputError(
        `${name}: the column "${names[i]}" holds no number in the training part (rows 1 to ${rows})`,
      )
    }
    return scaleOf(part, i < columns.targets.length ? scaling : 'standard')
  })
}

/** The scale of some numbers, none of them missing. */
export function scaleOf(values: ArrayLike<number>, scaling: Scaling = 'standard'): Scale {
  const numbers = Array.from(values)
  const average = (f: (value: number) => number) =>
    numbers.reduce((sum, value) => sum + f(value), 0) / numbers.length
  if (scaling === 'none') return { mean: 0, deviation: 1 }
  if (scaling === 'meanAbs') return { mean: 0, deviation: 1 + average(Math.abs) }
  const mean = average((value) => value)
  return { mean, deviation: Math.sqrt(average((value) => (value - mean) ** 2)) || 1 }
}
