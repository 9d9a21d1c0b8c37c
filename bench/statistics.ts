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

/** A level's share that weights may take and stay: states, inputs and the code need room as well. */
const roomFor = 0.8

/** The level that `bytes`, shared out over the cores' own caches, are read from step after step. */
export function levelOf(
  bytes: number,
  { caches, read }: Limits,
  threads: number,
): 'L1' | 'L2' | 'L3' | 'memory' {
  if (bytes / threads <= caches.L1 * roomFor) return 'L1'
  if (bytes / threads <= caches.L2 * roomFor) return 'L2'
  return read.L3 && bytes <= caches.L3 * roomFor ? 'L3' : 'memory'
}

/**
 * The least time in seconds that the machine's measured limits allow for the LSTM of a case, and which limit counts
 * most. For every layer and direction the input products of all steps come first, then the recurrent steps one after
 * the other; each takes as long as its multiply-adds at the FMA peak or the reading of its weights at the bandwidth of
 * the level they stay in, whichever is longer. A backward pass costs the products twice more and reads W_hh again.
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
  let level: 'L1' | 'L2' | 'L3' | 'memory' = 'L1'
  const longer = (operations: number, bytes: number, times: number) => {
    const compute = operations / peak
    const read = bytes / (limits.read[level]![threads] * 1e9)
    if (compute >= read) computing += compute * times
    else reading += read * times
  }
  for (const I of inputSizes(one)) {
    const bytesIh = 16 * H * I
    const bytesHh = 16 * H * H
    for (let direction = 0; direction < directions; direction++) {
      level = levelOf(bytesIh + bytesHh, limits, threads)
      longer(8 * H * I * steps, bytesIh, 1)
      if (T > 1) level = levelOf(bytesHh, limits, threads)
      const step = (8 * H * H * steps) / T
      longer(step, bytesHh, T)
      if (mode !== 'inference') {
        longer(2 * step, bytesHh, T)
        computing += (16 * H * I * steps) / peak
      }
    }
  }
  const seconds = computing + reading
  return { seconds, limit: computing >= reading ? 'fma' : level }
}
