/** Exported ONNX files in onnxruntime-node, which is a dependency of the bench. */
import { createRequire } from 'node:module'
import { decodeOnnx, encodeOnnx } from '../../lib/formats/onnx/index.ts'
import { type Tensor, tensor } from '../../lib/index.ts'
import { type ExportCase, expectedOutputs, makeInput, makeModel, makeStates } from './case.ts'

/** The part of onnxruntime-node that is used: scripts are type-checked without the bench's dependencies. */
interface Runtime {
  Tensor: new (type: string, data: unknown, shape: readonly number[]) => RuntimeTensor
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> }
}

interface RuntimeTensor {
  data: ArrayLike<number>
  dims: readonly number[]
}

interface Session {
  inputNames: readonly string[]
  run(feeds: Record<string, RuntimeTensor>): Promise<Record<string, RuntimeTensor>>
  release(): Promise<void>
}

/** @throws {Error} if the bench's dependencies are not installed */
export function loadRuntime(): Runtime {
  try {
    return createRequire(new URL('../../bench/package.json', import.meta.url))('onnxruntime-node') as Runtime
  } catch (cause) {
    throw new Error(`onnxruntime-node is missing: npm ci --prefix bench (${(cause as Error).message})`, {
      cause,
    })
  }
}

const sizes = [
  [1, 12],
  [3, 12],
  [2, 17],
] as const

/**
 * The largest distance of an output from what forward gives, over several B and T: with lengths and states left out of the
 * file that allows it; with them, and with what stands for leaving them out, in the one that requires them.
 *
 * @throws {Error} if ONNX Runtime refuses the file or a call, an output has another shape, or the runtime is not as
 *   docs/formats.md says that it is about inputs that may be left out
 */
export async function checkOnnx(runtime: Runtime, each: ExportCase): Promise<number> {
  const model = makeModel(each)
  let worst = 0
  for (const optionalInputs of [true, false]) {
    const bytes = encodeOnnx(model, { optionalInputs })
    const { inputs } = decodeOnnx(bytes)
    const session = await runtime.InferenceSession.create(bytes, {
      logSeverityLevel: 3,
      intraOpNumThreads: 1,
    })
    await requireKnown(session, inputs, {
      optionalInputs,
      x: toRuntime(runtime, makeInput(each, 1, 12), 'int64'),
    })
    for (const [B, T] of sizes) {
      const x = makeInput(each, B, T)
      const fed = [
        { lengths: Int32Array.from({ length: B }, (_, b) => T - 6 * b), states: makeStates(inputs, B) },
      ]
      if (optionalInputs) fed.splice(0, 1, {} as (typeof fed)[0])
      else fed.push({ lengths: new Int32Array(B).with(B - 1, T), states: makeStates(inputs, B) })
      for (const options of fed) {
        const hasLengths = inputs.some(({ name }) => name === 'lengths')
        const given = hasLengths ? options : { ...options, lengths: undefined }
        const feeds: Record<string, RuntimeTensor> = { x: toRuntime(runtime, x, 'int64') }
        if (given.lengths) feeds.lengths = toRuntime(runtime, tensor(given.lengths), 'int32')
        for (const [name, state] of given.states ?? []) feeds[name] = toRuntime(runtime, state, 'float32')
        const outputs = await session.run(feeds)
        for (const [name, expected] of expectedOutputs(model, x, given)) {
          worst = Math.max(worst, distance(name, outputs[name], expected))
        }
      }
      if (optionalInputs) continue
      const outputs = await session.run({ x: toRuntime(runtime, x, 'int64'), ...neutral(runtime, inputs) })
      for (const [name, expected] of expectedOutputs(model, x, {}))
        worst = Math.max(worst, distance(name, outputs[name], expected))
    }
    await session.release()
  }
  return worst
}

type Inputs = readonly {
  name: string
  dataType: string
  shape: readonly (number | string | null)[] | undefined
}[]

/** What stands for lengths and states that are left out. */
function neutral(runtime: Runtime, inputs: Inputs): Record<string, RuntimeTensor> {
  const others = inputs.filter(({ name }) => name !== 'x')
  return Object.fromEntries(
    others.map(({ name, dataType, shape }) => {
      if (name === 'lengths') return [name, new runtime.Tensor('int32', Int32Array.of(-1), [1])]
      const sizes = shape!.map((n) => (typeof n === 'number' ? n : 1))
      const Floats = dataType === 'float64' ? Float64Array : Float32Array
      return [name, new runtime.Tensor(dataType, new Floats(sizes.reduce((a, b) => a * b)), sizes)]
    }),
  )
}

/** The runtime knows all inputs that are required, whose absence it tells, and of those that are not, none. */
async function requireKnown(
  session: Session,
  inputs: Inputs,
  { optionalInputs, x }: { optionalInputs: boolean; x: RuntimeTensor },
): Promise<void> {
  const expected = optionalInputs ? ['x'] : inputs.map(({ name }) => name)
  if (String(session.inputNames) !== String(expected))
    throw new Error(`expected onnxruntime-node to know the inputs ${expected}, got ${session.inputNames}`)
  if (expected.length === 1) return
  const missing = await session.run({ x }).then(
    () => '',
    (error: Error) => error.message,
  )
  if (!missing.includes(expected[1]))
    throw new Error(
      `expected ${expected[1]} to be missed when it is left out, got ${JSON.stringify(missing)}`,
    )
}

/** @param integers what integers are */
function toRuntime(
  runtime: Runtime,
  { array, shape }: Tensor,
  integers: 'int32' | 'int64' | 'float32',
): RuntimeTensor {
  if (array instanceof Float64Array) return new runtime.Tensor('float64', array, shape)
  if (array instanceof Float32Array) return new runtime.Tensor('float32', array, shape)
  return new runtime.Tensor(integers, integers === 'int64' ? BigInt64Array.from(array, BigInt) : array, shape)
}

function distance(name: string, got: RuntimeTensor, { shape, data }: Tensor): number {
  if (String(got.dims) !== String(shape))
    throw new Error(`${name}: expected shape [${shape}], got [${got.dims}]`)
  let worst = 0
  for (let i = 0; i < data.length; i++) {
    const each = got.data[i] === data[i] ? 0 : Math.abs(got.data[i] - data[i])
    if (!(each <= worst)) worst = each
  }
  return worst
}
