/** A state that is carried from batch to batch, as JSON and named tensors, for checkpoints. */
import { describe } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import type { State } from '../layers/layer.ts'
import { Tensor } from '../tensor.ts'

type Tensors = Map<string, { shape: readonly number[]; data: FloatArray }>

const nameOf = (n: number) => `carried.${n}`

/**
 * Arrays and plain objects as they are, each tensor as `{ tensor: n }` and under `carried.n` in `tensors`.
 *
 * @throws {TypeError} for what neither is
 */
export function packState(state: State, tensors: Tensors): unknown {
  let count = 0
  const pack = (part: State): unknown => {
    if (part instanceof Tensor && part.dataType !== 'int32') {
      tensors.set(nameOf(count), { shape: part.shape, data: part.array as FloatArray })
      return { tensor: count++ }
    }
    if (Array.isArray(part)) return part.map(pack)
    if (part === null || typeof part === 'number' || typeof part === 'boolean' || typeof part === 'string')
      return part
    if (Object.getPrototypeOf(part ?? 0) === Object.prototype)
      return Object.fromEntries(Object.entries(part as object).map(([key, value]) => [key, pack(value)]))
    throw new TypeError(
      `fit: a checkpoint keeps states of float tensors, arrays and plain objects, got ${describe(part)}; ` +
        'write checkpoints at the end of epochs only',
    )
  }
  return pack(state)
}

/** The state again; undefined where none was packed. */
export function unpackState(packed: unknown, tensors: Tensors): State {
  if (Array.isArray(packed)) return packed.map((part) => unpackState(part, tensors))
  if (packed === null || typeof packed !== 'object') return packed
  if ('tensor' in packed) {
    const { shape, data } = tensors.get(nameOf(packed.tensor as number))!
    return new Tensor(shape, data)
  }
  return Object.fromEntries(Object.entries(packed).map(([key, value]) => [key, unpackState(value, tensors)]))
}
