/** A request's rows through the batcher, each a sequence of its own, so that requests share batches. */
import { resultShape } from '../inference/traits.ts'
import { sizeOf, Tensor } from '../tensor.ts'
import type { InferRequest } from './protocol/request.ts'
import type { LoadedPlan } from './served-model.ts'

type Floats = Float32Array | Float64Array

export interface Result {
  shape: readonly number[]
  data: Floats
}

export interface Results {
  y: Result
  state?: Result
  /** Of the plan's pool, to be given back when the answer is written: where y lies. */
  lent?: Floats
}

type RowResult = Tensor | { output: Tensor; state: Tensor }

interface RowOptions {
  signal: AbortSignal
  timeout: number | undefined
  priority: number
  output?: Tensor
}

/** A single row of so many elements comes as the batcher makes it: answers copy them. */
const small = 2 ** 12

/**
 * @returns y [B, S, outputSize] or [B, outputSize], zeros behind rows that are shorter; with a state in the request or asked
 *   for also [B, stateSize]
 */
export function runRows(loaded: LoadedPlan, request: InferRequest, signal: AbortSignal): Promise<Results> {
  const { outputs, state, parameters, B } = request
  const isStateful = state !== undefined || outputs.some(({ name }) => name === 'state')
  const { timeout, priority } = parameters
  const shape = resultShape(loaded.batcher.parts, request.lengths ? longestOf(request.lengths) : request.T)
  if (B > 1) return runAll(loaded, request, { isStateful, shape }, signal)
  const elements = sizeOf(shape)
  if (elements <= small)
    return runRow(loaded, request, 0, isStateful, { signal, timeout, priority }).then(ofOne)
  const lent = loaded.outputs.take(elements)
  const output = new Tensor(shape, lent.subarray(0, elements))
  return runRow(loaded, request, 0, isStateful, { signal, timeout, priority, output }).then((result) => ({
    ...ofOne(result),
    lent,
  }))
}

function longestOf(lengths: Int32Array): number {
  let longest = 0
  for (const length of lengths) longest = Math.max(longest, length)
  return longest
}

/**
 * Each row writes its result to where it stands in y.
 *
 * @param shape of the result of the longest
 */
async function runAll(
  loaded: LoadedPlan,
  request: InferRequest,
  { isStateful, shape }: { isStateful: boolean; shape: readonly number[] },
  signal: AbortSignal,
): Promise<Results> {
  const { timeout, priority } = request.parameters
  const { B, T, lengths } = request
  const { batcher, signature, outputs } = loaded
  const all = new AbortController()
  const abort = () => all.abort(signal.reason)
  signal.addEventListener('abort', abort)
  const elements = sizeOf(shape)
  const lent = outputs.take(B * elements)
  const data = lent.subarray(0, B * elements)
  if (lengths && !signature.endsInOneStep) data.fill(0)
  const outputOf = (b: number): Tensor => {
    const own = resultShape(batcher.parts, lengths?.[b] ?? T)
    return new Tensor(own, data.subarray(b * elements, b * elements + sizeOf(own)))
  }
  try {
    const options = { signal: all.signal, timeout, priority }
    const rows = Array.from({ length: B }, (_, b) =>
      runRow(loaded, request, b, isStateful, { ...options, output: outputOf(b) }),
    )
    const results = await Promise.all(rows)
    return { y: { shape: [B, ...shape], data }, state: isStateful ? stack(results) : undefined, lent }
  } catch (error) {
    // Rows that wait are withdrawn with the one that failed.
    all.abort(error)
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The steps of row `b` that count. */
export function rowOf({ x, B, T, lengths }: InferRequest, b: number): Tensor {
  const width = x.length / (B * T)
  const steps = lengths ? lengths[b] : T
  const elements = x.length === steps * width ? x : x.subarray(b * T * width, (b * T + steps) * width)
  return new Tensor(x instanceof Int32Array ? [steps] : [steps, width], elements)
}

function runRow(
  { batcher, signature: { stateSize } }: LoadedPlan,
  request: InferRequest,
  b: number,
  isStateful: boolean,
  options: RowOptions,
): Promise<RowResult> {
  const row = rowOf(request, b)
  if (!isStateful) return batcher.predict(row, options)
  const before = request.state?.subarray(b * stateSize, (b + 1) * stateSize)
  return batcher.predict(row, { ...options, state: before ? new Tensor([1, stateSize], before) : null })
}

function ofOne(result: RowResult): Results {
  if (result instanceof Tensor) return { y: asRow(result) }
  return { y: asRow(result.output), state: { shape: result.state.shape, data: result.state.array as Floats } }
}

/** A batch of one. */
export function asRow({ shape, array }: Tensor): Result {
  return { shape: [1, ...shape], data: array as Floats }
}

/** The states of all rows, one above the other. */
function stack(results: readonly RowResult[]): Result {
  const states = results.map((result) => (result as { state: Tensor }).state.array as Floats)
  const [{ length }] = states
  const data = new (states[0].constructor as new (length: number) => Floats)(states.length * length)
  for (let b = 0; b < states.length; b++) data.set(states[b], b * length)
  return { shape: [states.length, length], data }
}
