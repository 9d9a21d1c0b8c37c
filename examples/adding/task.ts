/**
 * The adding problem, experiment 4 of Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation
 * 9(8), 1997.
 *
 * A sequence is of random length between T and T + T/10. Each step is a pair: a value from [-1, 1] and a
 * marker. One of the first ten pairs is marked with 1, and one of the first T/2 - 1 others; the first and
 * last pair have the marker -1, all others 0. Where the first pair is chosen to be marked, it keeps its -1
 * and its value is set to 0. The target, at the end of the sequence, is 0.5 + (X1 + X2) / 4 of the two marked
 * values. A sequence counts as right if the error is below 0.04.
 */
import { type Batch, type Random, tensor } from 'lstm-native'

/** The largest error of a sequence that counts as right, exclusive. */
export const tolerance = 0.04

/** Sequences of the test set in the paper. */
export const testSize = 2560

/** The longest sequence for a nominal length. */
export function longest(length: number): number {
  return length + Math.floor(length / 10)
}

/** Fresh sequences: x [size, longest, 2], padded with zeros, y [size, 1]. */
export function addingBatch(length: number, { size, random }: { size: number; random: Random }): Batch {
  const T = longest(length)
  const x = new Float32Array(size * T * 2)
  const y = new Float32Array(size)
  const lengths = new Int32Array(size)
  for (let b = 0; b < size; b++) {
    const steps = length + random.integer(T - length + 1)
    const at = (t: number) => (b * T + t) * 2
    for (let t = 0; t < steps; t++) x[at(t)] = random.uniform(-1, 1)
    const first = random.integer(10)
    let second = random.integer(Math.floor(length / 2) - 2)
    if (second >= first) second++
    for (const marked of [first, second]) x[at(marked) + 1] = 1
    if (first === 0 || second === 0) x[at(0)] = 0
    for (const end of [0, steps - 1]) x[at(end) + 1] = -1
    y[b] = 0.5 + (x[at(first)] + x[at(second)]) / 4
    lengths[b] = steps
  }
  return { x: tensor(x, { shape: [size, T, 2] }), y: tensor(y, { shape: [size, 1] }), lengths }
}
