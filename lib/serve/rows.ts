/** A request's rows through the batcher, each a sequence of its own, so that requests share batches. */
import { Tensor } from '../tensor.ts'
import type { InferRequest } from './protocol/request.ts'
import type { LoadedPlan } from './served-model.ts'

type Floats = Float32Array | Float64Array

export interface RowResults {
  y: { shape: readonly number[]; data: Floats }
  state?: { shape: readonly number[]; data: Floats }
}

/**
 * @returns y [B, S, outputSize] or [B, outputSize], zeros behind rows that are shorter; with a state in the request or asked
 *   for also [B, stateSize]
 */
export async function runRows(
  { batcher, signature: { stateSize } }: LoadedPlan,
  { B, T, x, lengths, state, outputs, parameters: { priority, timeout } }: InferRequest,
  signal: AbortSignal,
): Promise<RowResults> {
  const width = x.length / (B * T)
  const isStateful = state !== undefined || outputs.some(({ name }) => name === 'state')
  const others = new AbortController()
  const options = { signal: B === 1 ? signal : AbortSignal.any([signal, others.signal]), timeout, priority }
  const runRow = (b: number): Promise<Tensor | { output: Tensor; state: Tensor }> => {
    const steps = lengths ? lengths[b] : T
    const elements = x.subarray(b * T * width, (b * T + steps) * width)
    const row = new Tensor(x instanceof Int32Array ? [steps] : [steps, width], elements)
    if (!isStateful) return batcher.predict(row, options)
    const before = state && new Tensor([1, stateSize], state.subarray(b * stateSize, (b + 1) * stateSize))
    return batcher.predict(row, { ...options, state: before ?? null })
  }
  if (B === 1) return gather([await runRow(0)], stateSize)
  try {
    return gather(await Promise.all(Array.from({ length: B }, (_, b) => runRow(b))), stateSize)
  } catch (error) {
    // Rows that wait are withdrawn with the one that failed.
    others.abort(error)
    throw error
  }
}

function gather(
  results: readonly (Tensor | { output: Tensor; state: Tensor })[],
  stateSize: number,
): RowResults {
  const outputs = results.map((result) => ('output' in result ? result.output : result))
  const y = stack(outputs)
  if (!('output' in results[0])) return { y }
  const states = results.map((result) => (result as { state: Tensor }).state)
  return { y, state: { ...stack(states), shape: [results.length, stateSize] } }
}

/** Rows one above the other, each as long as the longest. */
function stack(rows: readonly Tensor[]): { shape: readonly number[]; data: Floats } {
  const [first] = rows
  if (rows.length === 1) return { shape: [1, ...first.shape], data: first.array as Floats }
  let longest = first
  for (const row of rows) if (row.size > longest.size) longest = row
  const { size } = longest
  const data =
    first.array instanceof Float64Array
      ? new Float64Array(rows.length * size)
      : new Float32Array(rows.length * size)
  for (let b = 0; b < rows.length; b++) data.set(rows[b].array, b * size)
  return { shape: [rows.length, ...longest.shape], data }
}
