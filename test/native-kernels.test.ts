/** Every native kernel beside the LSTM against its twin, the reference in float64, on every target of this CPU. */
import { describe, expect, it } from 'vitest'
import type { Binary, FloatArray, Kernels, Reduction } from '../lib/kernels/contract.ts'
import { backend, kernelsFor, setThreads, useBackend } from '../lib/kernels/index.ts'
import { referenceKernels } from '../lib/kernels/reference/index.ts'
import { attentionCases } from './support/attention-cases.ts'
import { expectSameBits } from './support/close.ts'
import {
  type KernelCase,
  kernelCases,
  numbers,
  type Result,
  type Size,
  sizes,
  unaryKinds as unaries,
} from './support/kernel-cases.ts'
import { imageCases } from './support/kernel-cases-images.ts'
import { likelihoodCases } from './support/kernel-cases-likelihood.ts'

useBackend('native')
const { available } = backend()
const native = () => kernelsFor(new Float32Array(0))
/** One rounding. */
const unit = 2 ** -24

/** The relative error of the norm, or the absolute one where the truth is 0. */
function normError(actual: FloatArray, truth: FloatArray): number {
  let [difference, whole] = [0, 0]
  for (let i = 0; i < truth.length; i++) {
    difference += (actual[i] - truth[i]) ** 2
    whole += truth[i] ** 2
  }
  return Math.sqrt(difference / (whole || 1))
}

const cases = [...kernelCases, ...attentionCases, ...imageCases, ...likelihoodCases]
const named = cases.map((one): [string, KernelCase] => [one.name, one])
const truths = new Map<string, Result>()

/** What the reference says in float64, computed once for all targets. */
function truthOf(one: KernelCase, size: Size): Result {
  const key = `${one.name} ${size}`
  const known = truths.get(key)
  if (known) return known
  const truth = one.run(size, Float64Array, referenceKernels)
  truths.set(key, truth)
  return truth
}

describe.each(available)('the native kernels on %s', (target) => {
  it.each(named)('%s: equals the reference at every size, with the same bits on 1 to 4 threads', (_, one) => {
    useBackend(target)
    for (const size of [...sizes, 'large' as const]) {
      const truth = truthOf(one, size)
      setThreads(1)
      const result = one.run(size, Float32Array, native())
      for (const name of Object.keys(truth)) {
        const error = normError(result[name], truth[name])
        expect(error, `${name} at size ${size}`).toBeLessThanOrEqual(one.roundings(size) * unit)
      }
      for (const threads of [2, 3, 4]) {
        setThreads(threads)
        expectSameBits(one.run(size, Float32Array, native()), result)
      }
    }
  })

  it('every unary function is within 4 ulp of the reference', () => {
    useBackend(target)
    const x = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 500)
    const positive = x.map((value) => Math.fround(value * value + 0.01))
    for (const kind of unaries) {
      const input = kind === 'log' || kind === 'sqrt' ? positive : x
      const [y, truth] = [new Float32Array(x.length), new Float64Array(x.length)]
      native().unaryForward(kind, input, y, ...numbers)
      referenceKernels.unaryForward(kind, Float64Array.from(input), truth, ...numbers)
      // sigmoid and tanh have up to 2.7 ulp (native/kernels.h), an ulp being up to two units; all others have less.
      for (let i = 0; i < x.length; i++) {
        const error = Math.abs(y[i] - truth[i])
        // alpha·x + beta is rounded, and so is alpha: where the two terms cancel it is the digits of beta that count.
        const size = kind === 'hardSigmoid' ? numbers[1] : Math.abs(truth[i])
        if (error > 4 * 2 * unit * size) expect.fail(`${kind}(${input[i]}) is ${y[i]}, not ${truth[i]}`)
      }
    }
  })

  it("an element's bits do not depend on where it stands", () => {
    useBackend(target)
    const x = Float32Array.from({ length: 75 }, (_, i) => Math.fround(Math.sin(i) * 9))
    for (const kind of unaries) {
      const whole = new Float32Array(75)
      native().unaryForward(kind, x, whole, ...numbers)
      for (const start of [1, 7, 58]) {
        const part = new Float32Array(75 - start)
        native().unaryForward(kind, x.subarray(start), part, ...numbers)
        expectSameBits({ [kind]: part }, { [kind]: whole.subarray(start) })
      }
    }
  })

  it("a row's bits do not depend on what shares its batch", () => {
    useBackend(target)
    const [N, F] = [29, 37]
    const x = Float32Array.from({ length: N * F }, (_, i) => Math.fround(Math.sin(i)))
    const weight = Float32Array.from({ length: 19 * F }, (_, i) => Math.fround(Math.cos(i)))
    const bias = weight.slice(0, 19)
    const run = (rows: Float32Array) => {
      const n = rows.length / F
      const take = (width: number) => new Float32Array(n * width)
      const out = { linear: take(19), softmax: take(F), logSoftmax: take(F), norm: take(F) }
      native().linearForward({ N: n, I: F, O: 19, x: rows, weight, bias, y: out.linear })
      native().softmaxForward({ N: n, C: F, x: rows, y: out.softmax })
      native().softmaxForward({ N: n, C: F, log: true, x: rows, y: out.logSoftmax })
      native().layerNormForward({ N: n, F, x: rows, eps: 1e-5, y: out.norm, mean: take(1), rstd: take(1) })
      return out as Result
    }
    const together = run(x)
    for (const n of [0, 4, 13, 28]) {
      const alone = run(x.slice(n * F, (n + 1) * F))
      for (const [name, row] of Object.entries(alone)) {
        expectSameBits(
          { [name]: row },
          { [name]: together[name].subarray(n * row.length, (n + 1) * row.length) },
        )
      }
    }
  })

  it('bernoulli draws the bits of the reference', () => {
    useBackend(target)
    for (const probability of [0, 1e-7, 0.3, 0.5, 1 - 2 ** -24, 1, 1.5]) {
      for (const length of [...sizes, 100_003]) {
        for (const seed of [0, 7, 2 ** 32 - 1]) {
          const call = { seed, probability, value: 1.5 }
          const [out, truth] = [new Float32Array(length).fill(9), new Float32Array(length)]
          native().bernoulli({ ...call, out })
          referenceKernels.bernoulli({ ...call, out: truth })
          expectSameBits({ out }, { out: truth })
        }
      }
    }
  })

  it('reductions equal those in double, whatever the threads', () => {
    useBackend(target)
    for (const length of [...sizes, 300_007]) {
      const x = Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(i * i)))
      for (const kind of reductions) {
        const truth = referenceKernels.reduce(kind, x)
        const results = [1, 2, 3, 4].map((threads) => {
          setThreads(threads)
          return native().reduce(kind, x)
        })
        expect(new Set(results).size).toBe(1)
        // Both add doubles of magnitude up to 1, in different orders.
        expect(Math.abs(results[0] - truth)).toBeLessThanOrEqual(
          kind === 'maxAbs' ? 0 : length * length * 2 ** -53,
        )
      }
    }
  })

  it('sums of squares equal those in double, whatever the threads, and add those of each array', () => {
    useBackend(target)
    const all = [...sizes, 0, 4095, 4096, 4097, 300_007].map((length) =>
      Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(i * i))),
    )
    expect(native().sumOfSquares([])).toBe(0)
    let sum = 0
    for (const x of all) sum += native().sumOfSquares([x])
    for (const threads of [1, 2, 3, 4]) {
      setThreads(threads)
      expect(native().sumOfSquares(all)).toBe(sum)
    }
    const truth = referenceKernels.sumOfSquares(all)
    // The reference adds n terms one after the other, each partial sum at most the whole: n roundings of it.
    expect(Math.abs(sum - truth)).toBeLessThanOrEqual(300_007 * 2 ** -53 * truth)
    for (const x of all) {
      if (x.length === 0) continue
      const spoilt = x.slice().fill(Number.NaN, x.length - 1)
      expect(native().sumOfSquares([all[0], spoilt, all[1]])).toBeNaN()
    }
    expect(() => native().sumOfSquares([new Float64Array(1)])).toThrow(/expected a Float32Array/)
  })

  it('NaN goes through functions, maximum and minimum, and reductions, wherever it stands', () => {
    useBackend(target)
    for (const at of [0, 6, 15, 16, 18]) {
      const x = new Float32Array(19).fill(0.5)
      const [plain, y] = [x.slice(), new Float32Array(19)]
      x[at] = Number.NaN
      const found = () => y.findIndex(Number.isNaN)
      for (const kind of unaries) {
        native().unaryForward(kind, x, y, ...numbers)
        expect(found(), kind).toBe(at)
      }
      for (const kind of ['maximum', 'minimum'] as Binary[]) {
        native().binary(kind, x, plain, y.fill(0))
        expect(found(), kind).toBe(at)
        native().binary(kind, plain, x, y.fill(0))
        expect(found(), kind).toBe(at)
      }
      for (const kind of reductions) expect(native().reduce(kind, x), kind).toBeNaN()
    }
  })

  it('softmax survives large inputs and gives masked ones nothing', () => {
    useBackend(target)
    const x = Float32Array.from({ length: 21 }, (_, i) => (i % 2 ? -Infinity : 1e30))
    const y = new Float32Array(21)
    native().softmaxForward({ N: 1, C: 21, x, y })
    // 11 equal ones.
    expect([...y]).toEqual([...x].map((value) => (value > 0 ? Math.fround(1 / 11) : 0)))
  })

  it('layer normalisation of rows far from zero keeps its digits', () => {
    useBackend(target)
    const [N, F] = [5, 65]
    const x = Float32Array.from({ length: N * F }, (_, i) => Math.fround(1000 + Math.sin(i)))
    const run = (type: Float32ArrayConstructor | Float64ArrayConstructor, kernels: Kernels) => {
      const y = new type(N * F)
      kernels.layerNormForward({ N, F, x: new type(x), eps: 1e-5, y, mean: new type(N), rstd: new type(N) })
      return y
    }
    // The mean has 24 bits beyond a float's; what is left is two subtractions, a product and the deviation's rounding.
    expect(normError(run(Float32Array, native()), run(Float64Array, referenceKernels))).toBeLessThan(4 * unit)
  })
})

const reductions: Reduction[] = ['sum', 'maxAbs']
