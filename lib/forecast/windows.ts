/** Windows of prepared series as a data set for `fit`, and the parts of a series in the order of time. */
import type { Tensor } from '../tensor.ts'
import { type DataSet, gathered } from '../training/dataset.ts'
import { type Features, isGiven, writeRow } from './features.ts'
import { InputError } from './input-error.ts'

/** Rows [0, validation) are trained on, [validation, test) choose the epoch, [test, rows) are held out. */
export interface Split {
  rows: number
  validation: number
  test: number
}

/**
 * What the network learns of a target: its difference to the last value known ('last'), to the value a whole number of
 * seasons earlier (the length of a season), or the value itself ('none'). A level or a season need not be learnt then.
 */
export type Difference = 'last' | 'none' | number

/** `direct` forecasts all steps at once, `autoregressive` the next one from each row, and goes on from its own samples. */
export type Mode = 'direct' | 'autoregressive'

export interface WindowShape {
  mode: Mode
  input: number
  horizon: number
  difference: Difference
}

/** A row of one of several series that a forecast begins with. */
export interface Origin {
  features: Features
  row: number
}

/**
 * Cuts a series in the order of time: the last `test` part is held out, the last `validation` part of what remains
 * validates; each a share below 1 or a number of rows. Both are made at least one horizon long.
 *
 * @param options.name of the series, for messages
 * @throws {InputError} if the horizon is longer than the data, or nothing is left to train on
 */
export function splitRows(
  rows: number,
  options: { horizon: number; validation: number; test: number; name?: string },
): Split {
  const { horizon, validation, name } = options
  const place = name === undefined ? '' : `${name}: `
  if (horizon >= rows)
    throw new InputError(`${place}a horizon of ${horizon} is longer than the data (${rows} rows)`)
  const testStart = heldOutFrom(rows, options)
  const validationStart = heldOutFrom(testStart, { test: validation, horizon })
  if (validationStart <= horizon) {
    throw new InputError(
      `${place}too few rows: of ${rows}, ${rows - validationStart} are for validation and test, and training ` +
        `needs more than the horizon of ${horizon}; shorten the horizon or bring more data`,
    )
  }
  return { rows, validation: validationStart, test: testStart }
}

/** Where the last part of `rows` begins, a share below 1 of them or a number: at least a horizon before their end. */
export function heldOutFrom(rows: number, { test, horizon }: { test: number; horizon: number }): number {
  return Math.max(0, rows - Math.max(test < 1 ? Math.round(rows * test) : test, horizon))
}

/**
 * One window an origin. Direct: x [B, input, F] the rows before it, y [B, horizon, K] the targets from it on.
 * Autoregressive: x [B, input + horizon - 1, F] the rows from `input` before it on, y the targets of the row after each.
 * y holds scaled differences, NaN where a target is missing; with `counts` [..., 2], the target in its own unit and its
 * scale.
 */
export function windowsAt(
  origins: readonly Origin[],
  shape: WindowShape,
  { counts = false }: { counts?: boolean } = {},
): DataSet {
  const { mode, input, horizon } = shape
  const isDirect = mode === 'direct'
  const steps = isDirect ? input : input + horizon - 1
  const outputs = isDirect ? horizon : steps
  return {
    size: origins.length,
    batch(indices) {
      const chosen = Array.from(indices, (index) => origins[index])
      const [{ features: sample }] = chosen
      const { K } = sample
      const width = counts ? 2 : 1
      const y = gathered([chosen.length, outputs, K, ...(counts ? [2] : [])], sample.past, (array) => {
        for (const [b, { features, row }] of chosen.entries()) {
          for (let i = 0; i < outputs * K; i++) {
            const step = Math.floor(i / K)
            const at = (b * outputs * K + i) * width
            const target = isDirect ? row + step : row - input + 1 + step
            const place = { target, known: isDirect ? row : target, k: i % K }
            array[at] = targetAt(features, place, counts ? undefined : shape.difference)
            if (counts) array[at + 1] = features.scales[i % K].deviation
          }
        }
      })
      return { x: inputsAt(chosen, { input, steps }), y }
    },
  }
}

/** A target in scaled units, less what the difference subtracts; without `difference` in its own unit. */
function targetAt(
  features: Features,
  { target, known, k }: { target: number; known: number; k: number },
  difference: Difference | undefined,
): number {
  const { past, P, K, given } = features
  if (given[target * K + k] === 0) return Number.NaN
  if (difference === undefined) return features.targets[k][target]
  return past[target * P + k] - baseAt(features, { target, known, k }, difference)
}

/** The scaled value that is subtracted from the target of row `target`, where rows below `known` are known. */
export function baseAt(
  { past, P }: Pick<Features, 'past' | 'P'>,
  { target, known, k }: { target: number; known: number; k: number },
  difference: Difference,
): number {
  if (difference === 'none') return 0
  if (difference === 'last') return past[(known - 1) * P + k]
  const row = target - difference * (1 + Math.floor((target - known) / difference))
  // Before the first season there is nothing to subtract: such a row is not learnt from.
  return row < 0 ? Number.NaN : past[row * P + k]
}

/** `steps` rows from `input` before each origin on: [B, steps, F]. */
export function inputsAt(
  origins: readonly Origin[],
  { input, steps = input }: { input: number; steps?: number },
): Tensor {
  const { F, past } = origins[0].features
  return gathered([origins.length, steps, F], past, (array) => {
    for (const [b, { features, row }] of origins.entries()) {
      for (let t = 0; t < steps; t++) {
        writeRow(features, row - input + t, array as Float32Array, (b * steps + t) * F)
      }
    }
  })
}

/** The first row that a forecast may begin with. */
export function firstOrigin({ input, difference }: Pick<WindowShape, 'input' | 'difference'>): number {
  return Math.max(input, typeof difference === 'number' ? difference : 1)
}

/** The origins in [from, to) with enough rows before them and a horizon before `to` that is usable. */
function originsIn(
  { from, to }: { from: number; to: number },
  shape: WindowShape,
  isUsable: (from: number, to: number) => boolean,
): number[] {
  const origins: number[] = []
  for (let row = Math.max(from, firstOrigin(shape)); row + shape.horizon <= to; row++) {
    if (isUsable(row, row + shape.horizon)) origins.push(row)
  }
  return origins
}

/** The origins of a part from which all targets of the horizon can be checked. */
export function checkedOrigins(
  features: Features,
  part: { from: number; to: number },
  shape: WindowShape,
): number[] {
  return originsIn(part, shape, (from, to) => isGiven(features, from, to))
}

/** The origins of a part with at least one target given in the horizon, which can be learnt from. */
export function learntOrigins(
  features: Features,
  part: { from: number; to: number },
  shape: WindowShape,
): number[] {
  const { given, K } = features
  return originsIn(part, shape, (from, to) => given.subarray(from * K, to * K).includes(1))
}

/** @throws {InputError} says why a part of a series has no window */
export function refuseEmpty(
  part: { name: string; from: number; to: number },
  { input, horizon }: WindowShape,
): never {
  const length = part.to - Math.max(0, part.from - input)
  if (length < input + horizon) {
    throw new InputError(
      `too few rows: the ${part.name} part has ${length}, a window takes ${input + horizon} ` +
        `(input ${input} + horizon ${horizon}); shorten input or horizon, or bring more data`,
    )
  }
  throw new InputError(
    `no ${part.name} window of ${horizon} rows is free of missing targets; shorten the horizon`,
  )
}
