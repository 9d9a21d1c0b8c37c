/** TensorFlow.js on its WebAssembly back end: `tf.layers.lstm`, one layer and direction. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Problem, Tensors } from '../problem.ts'
import type { Contender, Prepared } from './contender.ts'

/** The part of TensorFlow.js that is used; the bench is type-checked without its dependencies. */
interface TensorFlow {
  version_core: string
  setBackend(name: string): Promise<boolean>
  ready(): Promise<void>
  tidy<T>(body: () => T): T
  tensor(data: Float32Array, shape: readonly number[]): Value
  transpose(value: Value): Value
  variable(value: Value): Value
  sum(value: Value): Value
  mul(a: Value, b: Value): Value
  add(a: Value, b: Value): Value
  variableGrads(loss: () => Value, variables: Value[]): { value: Value; grads: Record<string, Value> }
  layers: { lstm(options: object): Recurrent }
}

interface Value {
  shape: number[]
  name: string
  dataSync(): Float32Array
  dispose(): void
}

interface Recurrent {
  apply(x: Value, options: { initialState: Value[] }): Value | Value[]
  setWeights(weights: Value[]): void
  trainableWeights: { val: Value }[]
}

interface Wasm {
  setWasmPaths(folder: string): void
  setThreadsCount(threads: number): void
  getThreadsCount(): number
}

export async function create(): Promise<Contender> {
  const require = createRequire(import.meta.url)
  const tf = require('@tensorflow/tfjs') as TensorFlow
  const wasm = require('@tensorflow/tfjs-backend-wasm') as Wasm
  wasm.setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), '/'))
  return {
    describe: () => `tfjs-backend-wasm ${tf.version_core}, ${wasm.getThreadsCount()} threads`,
    async prepare(problem) {
      wasm.setThreadsCount(problem.threads)
      if (!(await tf.setBackend('wasm'))) throw new Error('the WebAssembly back end did not start')
      await tf.ready()
      return prepare(tf, problem)
    },
  }
}

function prepare(tf: TensorFlow, { case: one, tensors, lengths }: Problem): Prepared {
  const { B, T, I, H, layers, directions, mode } = one
  if (layers > 1 || directions > 1 || lengths || mode === 'step')
    throw new Error('only one layer and direction')
  const value = ({ data, shape }: Tensors[string]) => tf.tensor(data as Float32Array, shape)
  // Two biases are one here; gates have the same order.
  const lstm = tf.layers.lstm({
    units: H,
    returnSequences: true,
    returnState: true,
    recurrentActivation: 'sigmoid',
    // The default, orthogonal, takes its time, and is overwritten below.
    recurrentInitializer: 'zeros',
  })
  const x = tf.variable(value(tensors.x))
  const state = (name: string) => tf.tensor(tensors[name].data as Float32Array, [B, H])
  const initialState = [state('h0'), state('c0')]
  const forward = () => lstm.apply(x, { initialState }) as Value[]
  // The first call makes the weights.
  forward()
  lstm.setWeights([
    tf.transpose(value(tensors.weight_ih_l0)),
    tf.transpose(value(tensors.weight_hh_l0)),
    tf.add(value(tensors.bias_ih_l0), value(tensors.bias_hh_l0)),
  ])

  if (mode === 'inference') {
    let last: Float32Array[] = []
    return {
      // Reading the numbers is what a user has to do to have them.
      run: () => {
        last = tf.tidy(() => forward().map((result) => result.dataSync()))
      },
      results: () => {
        const [output, h, c] = last
        const states = { h: { shape: [1, B, H], data: h }, c: { shape: [1, B, H], data: c } }
        return { output: { shape: [B, T, H], data: output }, ...states }
      },
    }
  }

  const dy = value(tensors.dy)
  const [kernel, recurrent] = lstm.trainableWeights.map(({ val }) => val)
  const variables = [x, ...lstm.trainableWeights.map(({ val }) => val)]
  let last: Record<string, Float32Array> = {}
  return {
    run: () => {
      const { value: loss, grads } = tf.variableGrads(() => tf.sum(tf.mul(forward()[0], dy)), variables)
      last = Object.fromEntries(Object.entries(grads).map(([name, gradient]) => [name, gradient.dataSync()]))
      for (const each of [loss, ...Object.values(grads)]) each.dispose()
    },
    results: () => ({
      dx: { shape: [B, T, I], data: last[x.name] },
      dweight_ih_l0: { shape: [4 * H, I], data: transposed(last[kernel.name], I) },
      dweight_hh_l0: { shape: [4 * H, H], data: transposed(last[recurrent.name], H) },
    }),
  }
}

/** A matrix of so many rows, the other way round. */
function transposed(matrix: Float32Array, rows: number): Float32Array {
  const columns = matrix.length / rows
  return Float32Array.from(matrix, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)])
}
