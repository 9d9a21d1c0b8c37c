/** Operations on the steps of sequences [B, T, ...]: which of them count, and in what order they come. */
import { outputBuffer, recordOne } from '../tape.ts'
import { sizeOf, type Tensor } from '../tensor.ts'
import { floats, requireLengths, requireMask } from './common.ts'

/**
 * y = x where the mask is not 0, else 0.
 *
 * @param x [B, T, ...]
 * @param mask [B·T]
 * @throws {RangeError} if the mask does not fit
 */
export function maskSteps(x: Tensor, mask: Uint8Array): Tensor {
  const [B, T] = x.shape
  requireMask('maskSteps', mask, { B, T })
  const kept = mask.slice()
  return moveSteps('maskSteps', x, (row) => (kept[row] !== 0 ? row : -1))
}

/**
 * The steps of each sequence in reverse order. Padding stays where it is.
 *
 * @param x [B, T, ...]
 * @param options.lengths valid steps of each sequence; default T
 * @throws {RangeError} if the lengths do not fit
 */
export function reverseSteps(x: Tensor, { lengths }: { lengths?: Int32Array } = {}): Tensor {
  return moveSteps('reverseSteps', x, reversedRow('reverseSteps', x, lengths))
}

/** The mask that belongs to the result of `reverseSteps`. */
export function reverseMask(
  x: Tensor,
  mask: Uint8Array,
  { lengths }: { lengths?: Int32Array } = {},
): Uint8Array {
  const source = reversedRow('reverseMask', x, lengths)
  return mask.map((_, row) => mask[source(row)])
}

/** From a row b·T + t of the result to that of the source. */
function reversedRow(
  place: string,
  { shape }: Tensor,
  lengths: Int32Array | undefined,
): (row: number) => number {
  const [B, T] = shape
  if (lengths) requireLengths(place, lengths, { B, T })
  const ends = lengths?.slice()
  return (row) => {
    const t = row % T
    const end = ends ? ends[Math.floor(row / T)] : T
    return t < end ? row - t + end - 1 - t : row
  }
}

/** y[row] = x[source(row)] over the B·T rows of x, zeros where the source is -1. No row may be the source of two. */
function moveSteps(name: string, x: Tensor, source: (row: number) => number): Tensor {
  if (x.shape.length < 2) throw new RangeError(`${name}: expected x of shape [B, T, ...], got [${x.shape}]`)
  const [xs] = floats(name, x)
  const rows = sizeOf(x.shape.slice(0, 2))
  const width = sizeOf(x.shape.slice(2))
  const y = outputBuffer(xs, xs.length)
  for (let row = 0; row < rows; row++) {
    const from = source(row) * width
    if (from < 0) y.fill(0, row * width, (row + 1) * width)
    else y.set(xs.subarray(from, from + width), row * width)
  }
  return recordOne(name, [x], x.shape, y, (dy, gradientOf) => {
    const dx = gradientOf(x)!
    for (let row = 0; row < rows; row++) {
      const from = source(row) * width
      if (from < 0) continue
      for (let i = 0; i < width; i++) dx[from + i] += dy[row * width + i]
    }
  })
}
