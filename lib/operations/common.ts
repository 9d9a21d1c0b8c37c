/** Checks shared by the operations. */
import type { FloatArray } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'

/** The arrays of tensors that must be of one float type. @throws {TypeError} if they are not */
export function floats(place: string, ...tensors: Tensor[]): FloatArray[] {
  const [first] = tensors
  for (const each of tensors) {
    if (each.dataType === 'int32' || each.dataType !== first.dataType) {
      throw new TypeError(`${place}: expected tensors of one float type, got ${tensors.map((t) => t.dataType).join(' and ')}`)
    }
  }
  return tensors.map((each) => each.array as FloatArray)
}
