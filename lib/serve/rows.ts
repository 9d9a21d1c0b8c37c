/** A request's rows through the batcher, each a sequence of its own, so that requests share batches. */
import { Tensor } from '../tensor.ts'
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
}

type RowResult = Tensor | { output: Tensor; state: Tensor }

/**
 * @returns y [B, S, outputSize] or [B, outputSize], zeros behind rows that are shorter; with a state in the request or asked
 *   for also [B, stateSize]
 */
export function runRows(loaded: LoadedPlan, request: InferRequest, signal: AbortSignal): Promise<Results> {
  const { outputs, state, parameters, B } = request
  const isStateful = state !== undefined || outputs.some(({ name }) => name === 'state')
  const { timeout, priority } = parameters
  if (B === 1) return runRow(loaded, request, 0, isStateful, { signal, timeout, priority }).then(ofOne)
  return runAll(loaded, request, isStateful, signal)
}

async function runAll(
  loaded: LoadedPlan,
  request: InferRequest,
  isStateful: boolean,
  signal: AbortSignal,
): Promise<Results> {
  const { timeout, priority } = request.parameters
  const all = new AbortController()
  const abort = () => all.abort(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    const options = { signal: all.signal, timeout, priority }
    const rows = Array.from({ length: request.B }, (_, b) => runRow(loaded, request, b, isStateful, options))
    return gather(await Promise.all(rows))
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
  options: { signal: AbortSignal; timeout: number | undefined; priority: number },
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

function gather(results: readonly RowResult[]): Results {
  const y = stack(results.map((result) => ('output' in result ? result.output : result)))
  const states = results.map((result) =>
    'state' in result ? new Tensor([result.state.size], result.state) : result,
  )
  return 'state' in results[0] ? { y, state: stack(states as Tensor[]) } : { y }
}

/** Rows one above the other, each as long as the longest. */
function stack(rows: readonly Tensor[]): Result {
  let [longest] = rows
  for (const row of rows) if (row.size > longest.size) longest = row
  const { size, shape, array } = longest
  const data =
    array instanceof Float64Array
      ? new Float64Array(rows.length * size)
      : new Float32Array(rows.length * size)
  for (let b = 0; b < rows.length; b++) data.set(rows[b].array, b * size)
  return { shape: [rows.length, ...shape], data }
}
