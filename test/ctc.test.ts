/** The CTC loss: PyTorch's numbers, gradients, what it refuses, and training with targets that have lengths of their own. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type BackendName, backend, useBackend } from '../lib/kernels/index.ts'
import { Conv1d } from '../lib/layers/convolution.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM } from '../lib/layers/lstm.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { type CtcLossOptions, ctcLoss } from '../lib/operations/ctc.ts'
import type { LossContext } from '../lib/operations/losses.ts'
import { logSoftmax } from '../lib/operations/normalization.ts'
import { Random } from '../lib/random.ts'
import { Tensor, tensor } from '../lib/tensor.ts'
import { type Batch, dataSet } from '../lib/training/dataset.ts'
import { labelErrorRate } from '../lib/training/error-rates.ts'
import { evaluate } from '../lib/training/evaluate.ts'
import { fit } from '../lib/training/fit.ts'
import { adam } from '../lib/training/optimizers.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

interface Case {
  name: string
  shape: [number, number, number]
  logits: number[]
  targets: number[]
  lengths: number[]
  targetLengths: number[]
  blank: number
  zeroInfinity: boolean
  results: Record<'none' | 'mean' | 'sum', { loss: number[]; gradient: number[] }>
}

const cases: Case[] = JSON.parse(readFileSync(new URL('fixtures/ctc/ctc.json', import.meta.url), 'utf8'))
useBackend('native')
const backends: BackendName[] = ['reference', ...backend().available]

function largestError(actual: ArrayLike<number>, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length)
  const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 1e-3)
  return expected.reduce((most, each, i) => Math.max(most, Math.abs(each - actual[i])), 0) / largest
}

describe.each(cases)('PyTorch computes the same for $name', (one) => {
  const [B] = one.shape
  const run = (array: Float32Array | Float64Array, reduction: 'none' | 'mean' | 'sum') => {
    const logits = new Tensor(one.shape, array, true)
    const target = tensor(Int32Array.from(one.targets), { shape: [B, one.targets.length / B] })
    const { blank, zeroInfinity } = one
    const [lengths, targetLengths] = [Int32Array.from(one.lengths), Int32Array.from(one.targetLengths)]
    const loss = ctcLoss(logits, target, { lengths, targetLengths, blank, zeroInfinity, reduction })
    const upstream = Array.from({ length: loss.size }, (_, b) => b + 1)
    loss.backward(Float64Array.from(upstream))
    return { loss: loss.data, gradient: logits.grad! }
  }

  it.each(['none', 'mean', 'sum'] as const)('in float64, reduction %s', (reduction) => {
    const { loss, gradient } = run(Float64Array.from(one.logits), reduction)
    expect(largestError(loss, one.results[reduction].loss)).toBeLessThan(1e-12)
    expect(largestError(gradient, one.results[reduction].gradient)).toBeLessThan(1e-12)
  })

  it.each(backends)('in float32 on %s', (name) => {
    useBackend(name)
    for (const reduction of ['none', 'mean', 'sum'] as const) {
      const { loss, gradient } = run(Float32Array.from(one.logits), reduction)
      // Logits of up to 150 are rounded to 8e-6; the others to 5e-7.
      expect(largestError(loss, one.results[reduction].loss)).toBeLessThan(1e-6)
      expect(largestError(gradient, one.results[reduction].gradient)).toBeLessThan(2e-5)
    }
    useBackend('native')
  })
})

/** -ln of the sum of the probabilities of all paths that collapse to the target, one by one. */
function bruteForce(logp: readonly number[][], target: readonly number[], blank: number): number {
  const C = logp[0].length
  let total = 0
  for (let path = 0; path < C ** logp.length; path++) {
    const classes = logp.map((_, t) => Math.floor(path / C ** t) % C)
    const merged = classes.filter((c, t) => c !== classes[t - 1] && c !== blank)
    if (String(merged) === String(target)) {
      total += Math.exp(classes.reduce((sum, c, t) => sum + logp[t][c], 0))
    }
  }
  return -Math.log(total)
}

describe('ctcLoss', () => {
  const lengths = Int32Array.of(5, 3, 0)
  const targetLengths = Int32Array.of(3, 0, 0)
  const target = tensor(Int32Array.of(1, 1, 3, 9, 9, 9, 9, 9, 9), { shape: [3, 3] })

  it.each<CtcLossOptions>([
    {},
    { reduction: 'sum' },
    { reduction: 'none' },
    { blank: 0, zeroInfinity: true },
  ])('has the gradient of finite differences with options %#', (options) => {
    expectGradients({ logits: randomTensor([3, 5, 4], { low: -2, high: 2 }) }, ({ logits }) =>
      ctcLoss(logits, target, { lengths, targetLengths, ...options }),
    )
  })

  it('sums over all paths', () => {
    const random = new Random(2)
    for (const labels of [[1], [2, 1], [1, 1], [], [2, 2], [1, 2, 1]]) {
      const logits = randomTensor([1, 5, 3], { seed: random.integer(99) })
      const logp = logSoftmax(logits).toArray() as number[][][]
      const row = tensor(Int32Array.from(labels), { shape: [1, labels.length] })
      expect(ctcLoss(logits, row, { reduction: 'sum' }).item()).toBeCloseTo(
        bruteForce(logp[0], labels, 0),
        12,
      )
    }
  })

  it('is the same of logits and of logarithms of probabilities', () => {
    const logits = randomTensor([2, 4, 3], { low: -4, high: 4 })
    const labels = tensor(Int32Array.of(1, 2, 2, 2), { shape: [2, 2] })
    expect(ctcLoss(logSoftmax(logits), labels).item()).toBeCloseTo(ctcLoss(logits, labels).item(), 12)
  })

  it('is infinite where the logits rule the target out, with a gradient of 0, and NaN where they are', () => {
    for (const name of backends) {
      useBackend(name)
      const logits = new Tensor([1, 2, 2], Float32Array.of(0, -Infinity, 0, -Infinity), true)
      const label = tensor(Int32Array.of(1), { shape: [1, 1] })
      const loss = ctcLoss(logits, label)
      loss.backward()
      expect(loss.item()).toBe(Number.POSITIVE_INFINITY)
      expect([...logits.grad!]).toEqual([0, 0, 0, 0])
      expect(ctcLoss(logits, label, { zeroInfinity: true }).item()).toBe(0)
      const spoilt = tensor(Float32Array.of(0, 0, Number.NaN, 0), { shape: [1, 2, 2] })
      expect(ctcLoss(spoilt, label).item()).toBeNaN()
    }
    useBackend('native')
  })

  it('refuses what it cannot mean', () => {
    const logits = tensor(new Float32Array(2 * 3 * 4), { shape: [2, 3, 4] })
    const of = (labels: number[], options: CtcLossOptions = {}) =>
      ctcLoss(logits, tensor(Int32Array.from(labels), { shape: [2, labels.length / 2] }), options)
    expect(() => of([1, 2, 3, 3, 1, 1])).toThrow(
      'ctcLoss: sequence 1 has 3 steps, but its target of 3 labels, 1 of which repeat the one before, takes at least 4',
    )
    expect(of([1, 2, 3, 3, 1, 1], { zeroInfinity: true }).item()).toBeGreaterThan(0)
    expect(() => of([1, 2, 3, 4])).toThrow(
      'expected the labels of target 1 in [0, 3] and none to be the blank, 0; label 1 is 4',
    )
    expect(() => of([1, 0, 3, 1])).toThrow('of target 0 in [0, 3] and none to be the blank, 0; label 1 is 0')
    expect(() => of([1, 2], { blank: 4 })).toThrow('expected blank to be a class in [0, 3], got 4')
    expect(() => of([1, 2], { lengths: Int32Array.of(3, 4) })).toThrow('expected lengths[1] in [0, 3], got 4')
    expect(() => of([1, 2], { targetLengths: Int32Array.of(2, 1) })).toThrow(
      'targetLengths: expected lengths[0] in [0, 1], got 2',
    )
    expect(() => of([1, 2], { reduction: 'max' as 'sum' })).toThrow(
      "expected reduction 'mean', 'sum' or 'none', got \"max\"",
    )
    expect(() => of([1, 2], { zeroInf: true } as CtcLossOptions)).toThrow('unknown option "zeroInf"')
    expect(() => ctcLoss(logits, tensor([1, 2]))).toThrow('expected target to be int32 [2, S]')
  })
})

describe('a data set with targetLengths', () => {
  const steps = [4, 6, 5]
  const x = steps.map((T, n) =>
    tensor(
      Float32Array.from({ length: T * 2 }, () => n),
      { shape: [T, 2] },
    ),
  )
  const y = [[1, 2], [3], []]
  const set = dataSet({ x, y, targetLengths: [2, 1, 0] }, { yType: 'int32' })

  it('pads targets to the longest of the batch, whatever the sequences', () => {
    const batch = set.batch([1, 0])
    expect(batch.x.shape).toEqual([2, 6, 2])
    expect(batch.y.toArray()).toEqual([
      [3, 0],
      [1, 2],
    ])
    expect([...batch.lengths!]).toEqual([6, 4])
    expect([...batch.targetLengths!]).toEqual([1, 2])
    expect(set.batch([2]).y.toArray()).toEqual([[0]])
    expect([0, 1, 2].map((n) => set.lengthOf!(n))).toEqual(steps)
  })

  it('takes padded targets, of sequences that are all whole too', () => {
    const padded = dataSet({
      x: tensor(new Float32Array(12), { shape: [2, 3, 2] }),
      y: tensor(Int32Array.of(1, 2, 3, 3, 0, 0), { shape: [2, 3] }),
      targetLengths: Int32Array.of(3, 1),
    })
    // S = T: per-step targets they are not.
    const { lengths, targetLengths, y } = padded.batch([1])
    expect(lengths).toBeUndefined()
    expect([...targetLengths!]).toEqual([1])
    expect(y.toArray()).toEqual([[3]])
  })

  it('refuses lengths that are not those of the targets', () => {
    expect(() => dataSet({ x, y, targetLengths: [2, 2, 0] }, { yType: 'int32' })).toThrow(
      'dataSet: expected targetLengths[1] to be 1, as long as the target, got 2',
    )
    expect(() => dataSet({ x, y, targetLengths: [2, 1] })).toThrow('expected 3 lengths')
    expect(() => dataSet({ x, y }, { yType: 'int32' })).toThrow(
      'give targetLengths where targets have lengths',
    )
  })
})

describe('fit with ctcLoss', () => {
  /** Each label is two to four steps of its own feature, with one or two silent steps around. */
  function spelled(size: number, random: Random) {
    const y = Array.from({ length: size }, () =>
      Array.from({ length: 1 + random.integer(4) }, () => 1 + random.integer(3)),
    )
    const x = y.map((labels) => {
      const steps: number[] = [0]
      for (const label of labels) {
        for (let n = 2 + random.integer(3); n > 0; n--) steps.push(label)
        for (let n = 1 + random.integer(2); n > 0; n--) steps.push(0)
      }
      return steps.map((label) => [1, 2, 3].map((each) => Number(each === label) + 0.3 * random.normal()))
    })
    return dataSet({ x, y, targetLengths: y.map(({ length }) => length) }, { yType: 'int32' })
  }

  it('learns to spell what it was never shown the times of', async () => {
    const model = new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 12, bidirectional: true, seed: 1 }),
      new Linear({ inputSize: 24, outputSize: 4, seed: 2 }),
    ])
    const metrics = { errors: labelErrorRate() }
    const [train, test] = [spelled(200, new Random(1)), spelled(60, new Random(2))]
    const training = fit(model, train, {
      loss: ctcLoss,
      optimizer: adam({ learningRate: 0.02 }),
      epochs: 30,
      validation: test,
      metrics,
      clipNorm: 1,
      seed: 3,
    })
    const epochs = []
    for await (const epoch of training) epochs.push(epoch)
    expect(epochs[0].validationMetrics!.errors).toBeGreaterThan(0.5)
    const { loss, metrics: found } = await evaluate(model, test, { loss: ctcLoss, metrics, batchSize: 7 })
    expect(found.errors).toBeLessThan(0.05)
    // What shares a batch, and how much padding there is, makes no difference but rounding.
    expect(loss).toBeCloseTo(epochs.at(-1)!.validationLoss!, 4)
    expect(found).toEqual(epochs.at(-1)!.validationMetrics)
  })

  it('tells the loss how many steps are left behind layers that take some away', async () => {
    const model = new Sequential([
      new Sequential([
        new Conv1d({ inputChannels: 3, outputChannels: 4, kernelSize: 2, stride: 2, seed: 1 }),
      ]),
      new Linear({ inputSize: 4, outputSize: 4, seed: 2 }),
    ])
    const told: (LossContext | undefined)[] = []
    const set = spelled(2, new Random(5))
    const { lengths } = set.batch([0, 1])
    await evaluate(model, set, {
      loss: (prediction, target, context) => {
        told.push(context)
        return ctcLoss(prediction, target, { ...context, zeroInfinity: true })
      },
    })
    expect([...told[0]!.lengths!].sort()).toEqual([...lengths!].map((n) => Math.floor(n / 2)).sort())
    expect(told[0]!.targetLengths).toHaveLength(2)
  })

  it('takes targets that are as long as their sequences for what they are', async () => {
    const told: (LossContext | undefined)[] = []
    const set = dataSet(
      { x: [tensor(new Float32Array(6), { shape: [3, 2] })], y: [[1, 2, 1]], targetLengths: [3] },
      { yType: 'int32' },
    )
    const { samples } = await evaluate(new Linear({ inputSize: 2, outputSize: 3 }), set, {
      loss: (prediction, target, context) => {
        told.push(context)
        return ctcLoss(prediction, target, context)
      },
    })
    expect(samples).toBe(1)
    expect([...told[0]!.targetLengths!]).toEqual([3])
  })

  it('names the batch where a target does not fit, and refuses to cut targets without times', async () => {
    const model = new Linear({ inputSize: 2, outputSize: 3 })
    const batch = (labels: number[], lengths: number[]): Batch => ({
      x: tensor(new Float32Array(2 * 4 * 2), { shape: [2, 4, 2] }),
      y: tensor(Int32Array.from(labels), { shape: [2, labels.length / 2] }),
      targetLengths: Int32Array.from(lengths),
    })
    const learn = async (data: Batch, options = {}) => {
      for await (const _ of fit(model, [data], { loss: ctcLoss, epochs: 1, ...options }));
    }
    await expect(learn(batch([1, 2, 2, 5], [2, 2]))).rejects.toThrow(
      'fit: batch 1 of epoch 1 (x [2,4,2], y [2,2]): ctcLoss: expected the labels of target 1 in [0, 2]',
    )
    await expect(learn(batch([1, 2], [1, 3]))).rejects.toThrow('expected targetLengths[1] in [0, 1], got 3')
    await expect(learn(batch([1, 2], [1, 1]), { truncate: 2 })).rejects.toThrow('needs targets for each step')
  })
})
