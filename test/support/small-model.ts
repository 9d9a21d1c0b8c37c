/** Models and data small enough that a test trains them in milliseconds. */
import {
  type DataSet,
  dataSet,
  type FitOptions,
  Linear,
  LSTM,
  lastStep,
  type Model,
  meanSquaredError,
  parametersOf,
  Random,
  Sequential,
  sgd,
  tensor,
} from 'lstm-native'

/** What the tests of `fit` start from. */
export const base: FitOptions = {
  loss: meanSquaredError,
  optimizer: sgd({ learningRate: 0.1 }),
  epochs: 1,
  batchSize: 4,
  seed: 1,
}

interface Options {
  dataType?: 'float32' | 'float64'
  recurrentDropout?: number
}

/** [B, T, 2] to [B, T, 1]. */
export function tagger({ dataType = 'float64', recurrentDropout = 0 }: Options = {}): Sequential {
  return new Sequential([
    new LSTM({ inputSize: 2, hiddenSize: 4, seed: 1, dataType, recurrentDropout }),
    new Linear({ inputSize: 4, outputSize: 1, seed: 2, dataType }),
  ])
}

/** [B, T, 2] to [B, 1]. */
export function regressor(options: Options = {}): Sequential {
  const [lstm, linear] = tagger(options).layers
  return new Sequential([lstm, lastStep(), linear])
}

/** `size` sequences of `steps` steps, with a target per step or per sequence. */
export function sequences(
  size: number,
  { steps = 5, perStep = false, dataType = 'float64' as 'float32' | 'float64', seed = 9 } = {},
): DataSet {
  const random = new Random(seed)
  const type = dataType === 'float64' ? Float64Array : Float32Array
  const draw = (shape: number[]) =>
    tensor(new type(Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal())), { shape })
  return dataSet({ x: draw([size, steps, 2]), y: draw(perStep ? [size, steps, 1] : [size, 1]) })
}

/** Every parameter as plain numbers. */
export function weightsOf(model: Model): Record<string, number[]> {
  return Object.fromEntries(Array.from(parametersOf(model), ([name, { data }]) => [name, [...data]]))
}

/** The largest difference between the parameters of two models. */
export function distance(a: Model, b: Model): number {
  const other = weightsOf(b)
  return Math.max(
    ...Object.entries(weightsOf(a)).flatMap(([name, values]) =>
      values.map((value, i) => Math.abs(value - other[name][i])),
    ),
  )
}

/** Everything an iteration yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
