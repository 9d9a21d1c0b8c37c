/**
 * Windows of a time series: what came before as input, what came next as target, cut out when a batch is
 * made.
 */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { type Nested, Tensor, tensor } from '../tensor.ts'
import { type Batch, type DataSet, gathered } from './dataset.ts'

export interface WindowOptions {
  /** Steps the model sees. */
  input: number
  /** Steps it forecasts. */
  horizon: number
  /** Steps from the start of a window to the next; default 1. */
  stride?: number
  /** The column to forecast (default 0), or several in an array. */
  target?: number | readonly number[]
  /** The part of the series, at its end, that validation forecasts; default 0. */
  validation?: number
}

export interface Windows {
  train: DataSet
  /** Undefined if `validation` is 0. */
  validation: DataSet | undefined
}

/**
 * Windows of a series of N steps and F columns. A batch has x [B, input, F] and y [B, horizon], or [B,
 * horizon, K] if `target` is an array of K columns. The series is not copied if it is a tensor or a typed
 * array.
 *
 * The last `validation` part of the steps is forecast by the validation windows alone, whose inputs may reach
 * back into the steps before, as they would in use; training windows see none of it.
 *
 * @param series [N] or [N, F]
 * @throws {RangeError} if a part is too short for one window
 */
export function windows(series: Tensor | FloatArray | Nested, options: WindowOptions): Windows {
  refuseUnknownOptions('windows', options, ['input', 'horizon', 'stride', 'target', 'validation'])
  const { input, horizon, stride = 1, target = 0, validation = 0 } = options
  requireInteger('windows', 'input', input)
  requireInteger('windows', 'horizon', horizon)
  requireInteger('windows', 'stride', stride)
  requireNumber('windows', 'validation', validation, { low: 0, high: 1, open: true })
  const whole = series instanceof Tensor ? series : tensor(series)
  if (whole.shape.length < 1 || whole.shape.length > 2 || whole.dataType === 'int32') {
    throw new RangeError(
      `windows: expected a float series of shape [N] or [N, F], got ${describeSeries(whole)}`,
    )
  }
  const [N, F = 1] = whole.shape
  const columns = typeof target === 'number' ? [target] : target
  if (columns.length === 0) throw new RangeError('windows: expected at least one target column, got none')
  for (const column of columns) {
    if (Number.isInteger(column) && column >= 0 && column < F) continue
    throw new RangeError(`windows: expected target columns from 0 to ${F - 1}, got ${describe(column)}`)
  }

  const split = N - Math.round(N * validation)
  const part = (name: string, start: number, end: number): DataSet => {
    const size = Math.floor((end - start - input - horizon) / stride) + 1
    if (size >= 1)
      return seriesWindows(whole, {
        input,
        horizon,
        stride,
        start,
        size,
        columns,
        isSingle: typeof target === 'number',
      })
    throw new RangeError(
      `windows: the ${name} part has ${Math.max(0, end - start)} steps, a window takes ${input + horizon} ` +
        `(input ${input} + horizon ${horizon}); shorten them or bring a longer series`,
    )
  }
  return {
    train: part('training', 0, split),
    validation: validation > 0 ? part('validation', Math.max(0, split - input), N) : undefined,
  }
}

interface Layout {
  input: number
  horizon: number
  stride: number
  /** The first step of the first window. */
  start: number
  /** The number of windows. */
  size: number
  columns: readonly number[]
  /** One column, whose axis is left out. */
  isSingle: boolean
}

function seriesWindows(
  series: Tensor,
  { input, horizon, stride, start, size, columns, isSingle }: Layout,
): DataSet {
  const [, F = 1] = series.shape
  const source = series.array
  const K = columns.length
  return {
    size,
    batch(indices): Batch {
      const B = indices.length
      const firstStep = (b: number) => start + indices[b] * stride
      const x = gathered([B, input, F], source, (array) => {
        for (let b = 0; b < B; b++) {
          const from = firstStep(b) * F
          array.set(source.subarray(from, from + input * F), b * input * F)
        }
      })
      const y = gathered(isSingle ? [B, horizon] : [B, horizon, K], source, (array) => {
        let at = 0
        for (let b = 0; b < B; b++) {
          for (let t = 0; t < horizon; t++) {
            for (const column of columns) array[at++] = source[(firstStep(b) + input + t) * F + column]
          }
        }
      })
      return { x, y }
    },
  }
}

function describeSeries({ dataType, shape }: Tensor): string {
  return `${dataType} of shape [${shape}]`
}
