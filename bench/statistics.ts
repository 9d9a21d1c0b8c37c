/** Arithmetic of the bench: operations, bytes, medians and the time that the machine's limits allow. */
import type { Case } from './cases.ts'
import type { Limits } from './roofline/roofline.ts'

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median: expected at least one value')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function geometricMean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('geometricMean: expected at least one value')
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

/**
 * Valid steps of each sequence of a case: evenly spread over [shortest, T], both ends included, in an order that is
 * neither rising nor falling.
 */
export function lengthsOf({ B, T, lengths }: Case): number[] {
  if (!lengths) return Array.from({ length: B }, () => T)
  const { shortest } = lengths
  // A stride without a common divisor with B visits every place once.
  let stride = Math.max(1, Math.round(B * 0.618))
  while (greatestCommonDivisor(stride, B) !== 1) stride++
  const at = (i: number) => (B === 1 ? T : shortest + Math.round((i * (T - shortest)) / (B - 1)))
  return Array.from({ length: B }, (_, b) => at((b * stride + B - 1) % B))
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/** The input size of every layer, first to last: I, then D·H. */
export function inputSizes({ I, H, layers, directions }: Case): number[] {
  return Array.from({ length: layers }, (_, layer) => (layer === 0 ? I : directions * H))
}

/**
 * Floating-point operations of the matrix products: 8·H·(I + H) a valid step, layer and direction, forward; three times
 * that with the backward pass (dgates·W and dgatesᵀ·x each cost as much again). Padded steps and the pointwise part do
 * not count. A model's linear layer counts 2·H·outputs a step; its embedding nothing.
 */
export function flops(one: Case): number {
  const { H, directions, mode, model } = one
  const steps = lengthsOf(one).reduce((sum, length) => sum + length, 0)
  const lstm = inputSizes(one).reduce((sum, I) => sum + 8 * H * (I + H) * directions, 0)
  const head = model ? 2 * directions * H * model.outputs : 0
  return steps * (lstm + head) * (mode === 'inference' ? 1 : 3)
}

export type Level = 'L1' | 'L2' | 'L3' | 'memory'

/** The level that `bytes`, shared out over the cores' own caches, are read from when they are read again and again. */
export function levelOf(bytes: number, { caches }: Limits, threads: number): Level {
  if (bytes / threads <= caches.L1) return 'L1'
  if (bytes / threads <= caches.L2) return 'L2'
  return bytes <= caches.L3 ? 'L3' : 'memory'
}

/** The measured bandwidth in bytes a second for so many bytes: that of the next larger size, or the largest. */
export function readRate(bytes: number, { read }: Limits, threads: number): number {
  return (read.find((measured) => measured.bytes >= bytes) ?? read.at(-1)!).rate[threads] * 1e9
}

/**
 * The least time in seconds that the machine's measured limits allow for the LSTM of a case, and which limit counts
 * most. For every layer and direction the input products of all steps come first, then the recurrent steps one after
 * the other; each takes as long as its multiply-adds at the FMA peak or the reading of its weights at the bandwidth
 * measured for their size, whichever is longer. A backward pass costs the products twice more and reads W_hh again.
 */
export function leastTime(
  one: Case,
  limits: Limits,
  { threads, target }: { threads: number; target: string },
) {
  const { H, T, directions, mode } = one
  const peak = limits.fma[target][threads] * 1e9
  const steps = lengthsOf(one).reduce((sum, length) => sum + length, 0)
  let computing = 0
  let reading = 0
  let level: Level = 'L1'
  /** Products with weights of so many bytes, `times` times, while `resident` bytes are to stay near. */
  const longer = (
    operations: number,
    { bytes, resident, times }: { bytes: number; resident: number; times: number },
  ) => {
    const compute = operations / peak
    const read = bytes / readRate(resident, limits, threads)
    if (compute >= read) computing += compute * times
    else {
      reading += read * times
      level = levelOf(resident, limits, threads)
    }
  }
  for (const I of inputSizes(one)) {
    const bytesIh = 16 * H * I
    const bytesHh = 16 * H * H
    const step = (8 * H * H * steps) / T
    for (let direction = 0; direction < directions; direction++) {
      longer(8 * H * I * steps, { bytes: bytesIh, resident: bytesIh + bytesHh, times: 1 })
      // A single step reads both matrices, a stream of them again and again.
      const resident = T > 1 ? bytesHh : bytesIh + bytesHh
      longer(step, { bytes: bytesHh, resident, times: T })
      if (mode !== 'inference') {
        longer(2 * step, { bytes: bytesHh, resident, times: T })
        computing += (16 * H * I * steps) / peak
      }
    }
  }
  const seconds = computing + reading
  return { seconds, limit: computing >= reading ? 'fma' : level }
}
