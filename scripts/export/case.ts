/** A model whose export is checked: what goes in, and what its forward gives under the names of the graph's outputs. */
import {
  buffersOf,
  type Layer,
  LSTM,
  LSTMCell,
  type LSTMState,
  noGrad,
  Random,
  RNN,
  Sequential,
  seedAll,
  Tensor,
} from '../../lib/index.ts'

export interface ExportCase {
  name: string
  make: () => Layer
  /** What x is: floats [B, T, features] (default), int32 [B, T] below `features`, or another of `shapes`. */
  input?: 'sequences' | 'tokens' | keyof typeof shapes
  features: number
  /** Its layers take no lengths. */
  isWithoutLengths?: true
  isFloat64?: boolean
  /** ONNX Runtime has no float64 LSTM. */
  isWithoutRuntime?: true
}

/** Of floats before the features. Rows of images are steps. */
const shapes = {
  items: (B: number, T: number) => [B, T, 4],
  images: (B: number, T: number) => [B, T, 6],
  films: (B: number, T: number) => [B, T, 7, 5],
  vectors: (B: number) => [B],
}

/** A model of the case with the same numbers every time, running statistics that are not those of the start among them. */
export function makeModel({ make }: Pick<ExportCase, 'make'>): Layer {
  seedAll(7)
  const model = make()
  const random = new Random(7)
  for (const { array } of buffersOf(model).values())
    for (let i = 0; i < array.length; i++) array[i] = random.uniform(0.3, 2)
  return model
}

/** Zeros among the numbers, whole steps of them in places: what masks look for. */
export function makeInput(
  { input = 'sequences', features, isFloat64 }: Omit<ExportCase, 'name' | 'make'>,
  B: number,
  T: number,
): Tensor {
  const random = new Random(B * 100 + T)
  if (input === 'tokens')
    return new Tensor(
      [B, T],
      Int32Array.from({ length: B * T }, () => random.integer(features)),
    )
  const shape = [...(input === 'sequences' ? [B, T] : shapes[input](B, T)), features]
  const data = new (isFloat64 ? Float64Array : Float32Array)(shape.reduce((a, b) => a * b))
  for (let i = 0; i < data.length; i++)
    data[i] = Math.floor(i / features) % 4 === 1 ? 0 : random.uniform(-2, 2)
  return new Tensor(shape, data)
}

/** Numbers for each state that a graph takes. */
export function makeStates(
  inputs: readonly { name: string; dataType: string; shape: readonly unknown[] | undefined }[],
  B: number,
): Map<string, Tensor> {
  const random = new Random(B)
  const states = inputs.filter(({ name }) => /(^|[.])[hc]0$/.test(name))
  return new Map(
    states.map(({ name, dataType, shape = [] }) => {
      const sizes = shape.map((n) => (typeof n === 'number' ? n : B))
      const data = new (dataType === 'float64' ? Float64Array : Float32Array)(sizes.reduce((a, b) => a * b))
      return [
        name,
        new Tensor(
          sizes,
          data.map(() => random.uniform(-1, 1)),
        ),
      ]
    }),
  )
}

/** What the model gives, under the names that the outputs of its graph have. */
export function expectedOutputs(
  model: Layer,
  x: Tensor,
  { lengths, states = new Map() }: { lengths?: Int32Array; states?: ReadonlyMap<string, Tensor> },
): Map<string, Tensor> {
  const outputs = new Map<string, Tensor>()
  const result = noGrad(() => {
    // A layer that knows no lengths or no state refuses the name.
    const options: { lengths?: Int32Array; state?: unknown } = {}
    if (lengths) options.lengths = lengths
    if (isStateful(model)) options.state = stateOf(model, '', states)
    return model.forward(x, options)
  })
  if ('output' in result) collectStates(model, '', result.state, outputs)
  return outputs.set('y', 'output' in result ? result.output : result)
}

function isStateful(layer: object): boolean {
  return [LSTM, LSTMCell, RNN, Sequential].some((each) => layer instanceof each)
}

function stateOf(layer: unknown, path: string, states: ReadonlyMap<string, Tensor>): unknown {
  if (layer instanceof Sequential)
    return layer.layers.map((each, i) => stateOf(each, join(path, String(i)), states))
  const [h, c] = ['h0', 'c0'].map((name) => states.get(join(path, name)))
  if (!h) return null
  return c ? { h, c } : { h }
}

function collectStates(layer: unknown, path: string, state: unknown, outputs: Map<string, Tensor>): void {
  if (layer instanceof Sequential) {
    for (const [i, each] of layer.layers.entries())
      collectStates(each, join(path, String(i)), (state as unknown[])[i], outputs)
  } else if (isStateful(layer as object)) {
    const { h, c } = state as Partial<LSTMState> & { h: Tensor }
    outputs.set(join(path, 'hn'), h)
    if (c) outputs.set(join(path, 'cn'), c)
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
