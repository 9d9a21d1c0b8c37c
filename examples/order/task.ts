/**
 * Temporal order with three symbols, task 6b of Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation
 * 9(8), 1997.
 *
 * A sequence of 100 to 110 symbols begins with E and ends with B; between them stand a, b, c and d at random, but for three
 * places, drawn from steps 10 to 20, 33 to 43 and 66 to 76, where X or Y stands. Which of the eight orders of X and Y it was
 * is asked at the end. A sequence counts as right if every output is less than 0.3 off.
 */
import { type Batch, type Random, tensor } from 'lstm-native'

export const symbols = ['E', 'B', 'a', 'b', 'c', 'd', 'X', 'Y'] as const
export const classes = 8
export const longest = 110

/** The largest error of an output that counts as right, exclusive. */
export const tolerance = 0.3

/** Sequences of the test set in the paper. */
export const testSize = 2560

const places = [
  [10, 20],
  [33, 43],
  [66, 76],
] as const

/** Fresh sequences: x [size, 110, 8] one-hot, padded with zeros, y [size] int32 of classes. */
export function orderBatch({ size, random }: { size: number; random: Random }): Batch {
  const width = symbols.length
  const x = new Float32Array(size * longest * width)
  const y = new Int32Array(size)
  const lengths = new Int32Array(size)
  for (let b = 0; b < size; b++) {
    const steps = 100 + random.integer(11)
    const written = Array.from({ length: steps }, () => 2 + random.integer(4))
    written[0] = 0
    written[steps - 1] = 1
    for (const [first, last] of places) {
      const isY = random.integer(2)
      written[first + random.integer(last - first + 1)] = 6 + isY
      y[b] = 2 * y[b] + isY
    }
    for (const [t, symbol] of written.entries()) x[(b * longest + t) * width + symbol] = 1
    lengths[b] = steps
  }
  return { x: tensor(x, { shape: [size, longest, width] }), y: tensor(y, { shape: [size] }), lengths }
}
