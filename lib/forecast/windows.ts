/** Windows of a prepared series as a data set for `fit`, and the parts of the series in the order of time. */
import type { Tensor } from '../tensor.ts'
import { type DataSet, gathered } from '../training/dataset.ts'
import { InputError } from './input-error.ts'
import { type Features, usableOrigins } from './series.ts'

/** Rows [0, validation) are trained on, [validation, test) choose the epoch, [test, rows) are held out. */
export interface Split {
  rows: number
  validation: number
  test: number
}

/**
 * Cuts a series in the order of time: the last `test` part is held out, the last `validation` part of what remains
 * validates. Both are made at least one horizon long.
 *
 * @throws {InputError} if the horizon is longer than the data, or nothing is left to train on
 */
export function splitRows(
  rows: number,
  { horizon, validation, test }: { horizon: number; validation: number; test: number },
): Split {
  if (horizon >= rows) throw new InputError(`a horizon of ${horizon} is longer than the data (${rows} rows)`)
  const testStart = rows - Math.max(Math.round(rows * test), horizon)
  const validationStart = testStart - Math.max(Math.round(testStart * validation), horizon)
  if (validationStart <= horizon) {
    throw new InputError(
      `too few rows: of ${rows}, ${rows - Math.max(0, validationStart)} are for validation and test, and training ` +
        `needs more than the horizon of ${horizon}; shorten the horizon or bring more data`,
    )
  }
  return { rows, validation: validationStart, test: testStart }
}

/**
 * One window an origin: x [B, input, F] are the rows before it, y [B, horizon] the target from it on, less its last
 * value before it. That difference is what the network learns, so that the level of a series need not be learnt.
 */
export function windowsAt(
  { data, F }: Features,
  origins: readonly number[],
  { input, horizon }: { input: number; horizon: number },
): DataSet {
  return {
    size: origins.length,
    batch(indices) {
      const chosen = Array.from(indices, (index) => origins[index])
      const y = gathered([chosen.length, horizon], data, (array) => {
        for (const [b, origin] of chosen.entries()) {
          const last = data[(origin - 1) * F]
          for (let step = 0; step < horizon; step++) {
            array[b * horizon + step] = data[(origin + step) * F] - last
          }
        }
      })
      return { x: inputsAt({ data, F }, chosen, { input }), y }
    },
  }
}

/** The `input` rows before each origin: [B, input, F]. */
export function inputsAt(
  { data, F }: Pick<Features, 'data' | 'F'>,
  origins: readonly number[],
  { input }: { input: number },
): Tensor {
  return gathered([origins.length, input, F], data, (array) => {
    for (const [b, origin] of origins.entries()) {
      array.set(data.subarray((origin - input) * F, origin * F), b * input * F)
    }
  })
}

/** The origins of a part of the series. @throws {InputError} if there is none, with the reason */
export function originsOf(
  features: Features,
  part: { name: string; from: number; to: number },
  { input, horizon }: { input: number; horizon: number },
): number[] {
  const origins = usableOrigins(features, { ...part, input, horizon })
  if (origins.length > 0) return origins
  const { name, from, to } = part
  const length = to - Math.max(0, from - input)
  if (length < input + horizon) {
    throw new InputError(
      `too few rows: the ${name} part has ${length}, a window takes ${input + horizon} ` +
        `(input ${input} + horizon ${horizon}); shorten input or horizon, or bring more data`,
    )
  }
  throw new InputError(`no ${name} window of ${horizon} rows is free of missing targets; shorten the horizon`)
}
