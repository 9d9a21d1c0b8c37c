/** What the numbers of a forecaster's last layer mean: quantiles, a mean, or a distribution; and what they are trained by. */
import type { Distribution, DistributionHead } from '../operations/distributions/distribution.ts'
import { gaussian } from '../operations/distributions/gaussian.ts'
import { negativeBinomial } from '../operations/distributions/negative-binomial.ts'
import { studentT } from '../operations/distributions/student-t.ts'
import { type Loss, meanSquaredError, quantileLoss } from '../operations/losses.ts'
import { reshape } from '../operations/shape.ts'
import { Tensor } from '../tensor.ts'
import type { Scale } from './scaling.ts'

/**
 * 'quantiles' are trained by the quantile loss, 'mean' by the squared error, distributions by their likelihood.
 * 'negativeBinomial' is for counts.
 */
export type HeadName = 'quantiles' | 'mean' | 'gaussian' | 'studentT' | 'negativeBinomial'

const distributions: Partial<Record<HeadName, DistributionHead>> = { gaussian, studentT, negativeBinomial }
export const headNames: readonly HeadName[] = [
  'quantiles',
  'mean',
  'gaussian',
  'studentT',
  'negativeBinomial',
]

export function isDistribution(head: HeadName): boolean {
  return distributions[head] !== undefined
}

const titles: Record<HeadName, string> = {
  quantiles: 'quantiles',
  mean: 'mean',
  gaussian: 'Gaussian',
  studentT: 'Student’s t',
  negativeBinomial: 'negative binomial',
}

/** A head in words. */
export function headTitle(head: HeadName): string {
  return titles[head]
}

/** What a head is trained by, in words. */
export function lossName(head: HeadName): string {
  if (isDistribution(head)) return `likelihood, ${titles[head]}`
  return head === 'quantiles' ? 'quantile loss' : 'squared error'
}

/** Numbers for each value forecast. */
export function headSize(head: HeadName, quantiles: readonly number[]): number {
  return distributions[head]?.size ?? (head === 'mean' ? 1 : quantiles.length)
}

/** The loss over windows, whose missing targets (NaN) do not count. */
export function headLoss(head: HeadName, quantiles: readonly number[]): Loss {
  const size = headSize(head, quantiles)
  const family = distributions[head]
  return (prediction, y) => {
    const isCount = head === 'negativeBinomial'
    const shape = isCount ? y.shape.slice(0, -1) : y.shape
    const shaped = reshape(prediction, head === 'mean' ? shape : [...shape, size])
    if (isCount) {
      const [counts, scale] = columnsOf(y, shape)
      return negativeBinomial.loss(shaped, counts, { scale })
    }
    if (family) return family.loss(shaped, y)
    const { target, mask } = givenOf(y)
    return head === 'mean'
      ? meanSquaredError(shaped, target, { mask })
      : quantileLoss(shaped, target, { mask, quantiles })
  }
}

/** The distribution of a value in its own unit, from the numbers at `at` and what was subtracted from it. */
export function distributionAt(
  head: HeadName,
  outputs: ArrayLike<number>,
  at: number,
  { base, scale: { mean, deviation } }: { base: number; scale: Scale },
): Pick<Distribution, 'mean' | 'quantile' | 'sample'> {
  const family = distributions[head]
  if (!family) throw new TypeError(`a head of ${head} is no distribution`)
  if (head === 'negativeBinomial') return negativeBinomial.from(outputs, at, deviation)
  const distribution = family.from(outputs, at)
  const inUnit = (value: number) => (value + base) * deviation + mean
  return {
    mean: inUnit(distribution.mean),
    quantile: (p) => inUnit(distribution.quantile(p)),
    sample: (random) => inUnit(distribution.sample(random)),
  }
}

/** Zeros in place of missing targets, and the mask that leaves them out; no mask where none is missing. */
function givenOf(y: Tensor): { target: Tensor; mask?: Tensor } {
  const array = y.array as Float32Array
  if (!array.some(Number.isNaN)) return { target: y }
  const mask = array.map((value) => (Number.isNaN(value) ? 0 : 1))
  const target = array.map((value) => (Number.isNaN(value) ? 0 : value))
  return { target: new Tensor(y.shape, target), mask: new Tensor(y.shape, mask) }
}

/** The two columns of [..., 2]. */
function columnsOf(y: Tensor, shape: readonly number[]): [Tensor, Tensor] {
  const array = y.array as Float32Array
  const columns = [0, 1].map((k) => {
    // A loop, since it runs in every step: the callback of Float32Array.from takes more time than the likelihood.
    const column = new Float32Array(array.length / 2)
    for (let i = 0; i < column.length; i++) column[i] = array[2 * i + k]
    return new Tensor(shape, column)
  })
  return columns as [Tensor, Tensor]
}
