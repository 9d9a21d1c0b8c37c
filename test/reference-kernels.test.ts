/** The reference kernels beside the LSTM: the error function, rounding, extreme inputs, and the plainest definitions. */
import { describe, expect, it } from 'vitest'
import type { FloatArray, Kernels, Unary } from '../lib/kernels/contract.ts'
import { erf, erfc } from '../lib/kernels/reference/error-function.ts'
import { referenceKernels as kernels } from '../lib/kernels/reference/index.ts'
import { hash, Random } from '../lib/random.ts'
import { unaryKinds } from './support/kernel-cases.ts'

describe('the error function', () => {
  // From the C library (glibc, below 1 ulp), on both sides of where the series hands over to the continued fraction.
  const table = [
    [1e-300, 1.1283791670955126e-300, 1],
    [1e-8, 1.1283791670955126e-8, 0.9999999887162083],
    [0.1, 0.1124629160182849, 0.8875370839817152],
    [0.5, 0.5204998778130465, 0.4795001221869535],
    [1, 0.8427007929497149, 0.15729920705028513],
    [1.4999, 0.9660932516622953, 0.03390674833770473],
    [1.5, 0.9661051464753108, 0.033894853524689274],
    [1.5001, 0.9661170377204175, 0.033882962279582506],
    [2, 0.9953222650189527, 0.004677734981047265],
    [3, 0.9999779095030014, 2.2090496998585438e-5],
    [6, 1, 2.1519736712498916e-17],
    [10, 1, 2.088487583762545e-45],
    [26, 1, 5.663192408856143e-296],
    [Infinity, 1, 0],
  ]
  it.each(table)('at %f is the known one', (x, value, complement) => {
    // The errors stated in error-function.ts.
    expect(Math.abs(erf(x) - value)).toBeLessThanOrEqual(1e-15)
    expect(Math.abs(erfc(x) - complement)).toBeLessThanOrEqual(1e-13 * complement)
    expect(erf(-x)).toBe(-erf(x))
    expect(Math.abs(erfc(-x) - (1 + value))).toBeLessThanOrEqual(1e-15)
  })

  it('keeps zero, its sign, and NaN', () => {
    expect([erf(0), erf(-0), erfc(0), erf(Number.NaN), erfc(Number.NaN)]).toEqual([
      0,
      -0,
      1,
      Number.NaN,
      Number.NaN,
    ])
  })

  it('makes the GELU of torch.nn.functional.gelu and its derivative', () => {
    const x = Float64Array.of(-40, -6, -1, -1e-3, 0.5, 3, 40)
    const y = [-0, -5.919525869479969e-9, -0.15865525393145702, -0.000499601057786089]
    y.push(0.34573123063700656, 2.99595030590511, 40)
    const slopes = [0, -3.546870945402639e-8, -0.08331547058768635, 0.4992021157051586]
    slopes.push(0.8674951246561629, 1.011945647204184, 1)
    const [out, dx] = [new Float64Array(7), new Float64Array(7)]
    kernels.unaryForward('gelu', x, out)
    kernels.unaryBackward('gelu', { x, y: out, dy: new Float64Array(7).fill(1), dx })
    // PyTorch's own erf loses digits where 1 + erf cancels: at -6 it is known to 1e-16·6.
    for (let i = 0; i < 7; i++) {
      expect(Math.abs(out[i] - y[i])).toBeLessThan(1e-15 * Math.max(1, Math.abs(x[i])))
      expect(Math.abs(dx[i] - slopes[i])).toBeLessThan(1e-15 * Math.max(1, Math.abs(x[i])))
    }
  })
})

describe('float32 rounds only what is stored', () => {
  type Take = (length: number) => FloatArray
  /** Each takes its inputs in order and returns what it wrote. */
  const cases: [name: string, run: (take: Take, kernels: Kernels) => FloatArray[]][] = [
    ...[0, 1, 2, 3].map((bits): [string, (take: Take) => FloatArray[]] => {
      const transpose = { transposeA: bits % 2 === 1, transposeB: bits > 1 }
      return [
        `gemm ${JSON.stringify(transpose)}`,
        (take) => {
          const call = { M: 3, N: 5, K: 37, A: take(111), B: take(185), C: take(15), ...transpose }
          const overwritten = { ...call, C: take(15) }
          kernels.gemm({ ...call, accumulate: true })
          kernels.gemm(overwritten)
          return [call.C, overwritten.C]
        },
      ]
    }),
    [
      'linear',
      (take) => {
        const call = { N: 9, I: 7, O: 5, x: take(63), weight: take(35), bias: take(5), y: take(45) }
        const gradients = { dx: take(63), dweight: take(35), dbias: take(5) }
        kernels.linearForward(call)
        kernels.linearBackward({ ...call, dy: take(45), ...gradients })
        return [call.y, ...Object.values(gradients)]
      },
    ],
    [
      'softmax',
      (take) => {
        const [x, y, dx] = [take(33), take(33), take(33)]
        kernels.softmaxForward({ N: 3, C: 11, x, y })
        kernels.softmaxBackward({ N: 3, C: 11, y: x, dy: take(33), dx })
        return [y, dx]
      },
    ],
    [
      'layer norm, sums',
      (take) => {
        const rows = { N: 5, F: 9, x: take(45), gain: take(9), shift: take(9), eps: 1e-5 }
        const out = { y: take(45), mean: take(5), rstd: take(5) }
        kernels.layerNormForward({ ...rows, ...out })
        const sums = take(9)
        kernels.sumRows(rows.x, sums)
        return [...Object.values(out), sums]
      },
    ],
    [
      'optimizers',
      (take) => {
        const shared = { learningRate: 0.125, gradientScale: 0.5, weightDecay: 0.25, eps: 0.5, momentum: 0.5 }
        const once = () => ({ ...shared, weight: take(9), gradient: take(9) })
        const positive = () => take(9).map((value) => Math.fround(value * value)) as FloatArray
        const sgd = { ...once(), nesterov: true, velocity: take(9) }
        const rms = { ...once(), alpha: 0.75, velocity: take(9), squareAverage: positive() }
        const moments = { moment1: take(9), moment2: positive(), beta1: 0.5, beta2: 0.75, step: 3 }
        const adam = { ...once(), ...moments, decoupled: true }
        kernels.sgdStep(sgd)
        kernels.rmspropStep(rms)
        kernels.adamStep(adam)
        return [
          sgd.weight,
          sgd.velocity,
          rms.weight,
          rms.squareAverage,
          adam.weight,
          adam.moment1,
          adam.moment2,
        ]
      },
    ],
  ]
  it.each(cases)('%s', (_, run) => {
    const take = (float: Float32ArrayConstructor | Float64ArrayConstructor): Take => {
      const random = new Random(3)
      return (length) => new float(length).map(() => Math.fround(random.normal()))
    }
    const exact = run(take(Float64Array), kernels)
    expect(run(take(Float32Array), kernels)).toEqual(exact.map((array) => Float32Array.from(array)))
  })
})

describe('gemm', () => {
  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('is the sum of products with transposeA %s, transposeB %s', (transposeA, transposeB) => {
    // Small integers: every sum is exact.
    const [M, N, K] = [3, 4, 5]
    const A = Float64Array.from({ length: M * K }, (_, i) => i - 6)
    const B = Float64Array.from({ length: K * N }, (_, i) => (i * i) % 7)
    const C = new Float64Array(M * N).fill(9)
    kernels.gemm({ M, N, K, A, B, C, transposeA, transposeB })
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0
        for (let k = 0; k < K; k++)
          sum += A[transposeA ? k * M + m : m * K + k] * B[transposeB ? n * K + k : k * N + n]
        expect(C[m * N + n]).toBe(sum)
      }
    }
    const twice = C.map((value) => 2 * value)
    kernels.gemm({ M, N, K, A, B, C, transposeA, transposeB, accumulate: true })
    expect(C).toEqual(twice)
  })
})

describe('extreme inputs', () => {
  const f64 = (...values: number[]) => Float64Array.from(values)
  const unary = (kind: Unary, ...values: number[]) => {
    const y = new Float64Array(values.length)
    kernels.unaryForward(kind, f64(...values), y)
    return [...y]
  }

  it('saturate sigmoid, tanh and softplus without overflow', () => {
    expect(unary('sigmoid', -1e4, -700, 0, 1e4)).toEqual([0, expect.closeTo(1e-304, 300), 0.5, 1])
    expect(unary('tanh', -1e4, 1e4)).toEqual([-1, 1])
    expect(unary('softplus', -1e4, 0, 1e4)).toEqual([0, Math.LN2, 1e4])
    expect(unary('softplus', -40)[0]).toBeCloseTo(Math.exp(-40), 30)
  })

  it('send NaN through every function, and through maximum and the largest magnitude', () => {
    for (const kind of unaryKinds) expect(unary(kind, Number.NaN), kind).toEqual([Number.NaN])
    const y = f64(0, 0)
    kernels.binary('maximum', f64(Number.NaN, 1), f64(1, Number.NaN), y)
    expect(y).toEqual(f64(Number.NaN, Number.NaN))
    expect(kernels.reduce('maxAbs', f64(1, Number.NaN, 2))).toBeNaN()
  })

  it('leave softmax and cross-entropy finite, and ignored rows without gradient', () => {
    const y = new Float64Array(3)
    kernels.softmaxForward({ N: 1, C: 3, x: f64(1e4, 1e4, Number.NEGATIVE_INFINITY), y })
    expect(y).toEqual(f64(0.5, 0.5, 0))
    const dlogits = new Float64Array(6).fill(7)
    const logits = f64(-1e4, 0, 1e4, 1, 2, 3)
    const targets = Int32Array.of(0, -100)
    const result = kernels.softmaxCrossEntropy({
      ...{ N: 2, C: 3, logits, targets, ignoreIndex: -100, dlogits },
      classWeights: f64(2, 1, 1),
    })
    expect(result).toEqual({ sum: 4e4, weight: 2 })
    expect(dlogits).toEqual(f64(-2, 0, 2, 0, 0, 0))
  })
})

describe('bernoulli', () => {
  it('compares the top 24 bits of the hash with the probability', () => {
    const out = new Float32Array(1000)
    for (const seed of [0, 7, 2 ** 32 - 1]) {
      kernels.bernoulli({ out, seed, probability: 0.3, value: 2.5 })
      expect([...out]).toEqual(Array.from(out, (_, i) => ((hash(seed, i) >>> 8) * 2 ** -24 < 0.3 ? 2.5 : 0)))
    }
  })

  it('meets the probability, and its ends exactly', () => {
    const out = new Float64Array(100_000)
    const share = (probability: number) => {
      kernels.bernoulli({ out, seed: 5, probability, value: 1 })
      return kernels.reduce('sum', out) / out.length
    }
    expect(share(0)).toBe(0)
    expect(share(1)).toBe(1)
    // Four standard deviations of the share: 4·sqrt(0.25/1e5).
    expect(Math.abs(share(0.5) - 0.5)).toBeLessThan(0.0064)
  })
})

it('an embedding row used twice is read twice and gets both gradients', () => {
  const weight = Float64Array.of(1, 2, 3, 4, 5, 6)
  const indices = Int32Array.of(2, 0, 2)
  const y = new Float64Array(6)
  kernels.embeddingForward({ N: 3, E: 2, indices, weight, y })
  expect([...y]).toEqual([5, 6, 1, 2, 5, 6])
  const dweight = Float64Array.of(1, 1, 1, 1, 1, 1)
  kernels.embeddingBackward({ N: 3, E: 2, indices, dy: Float64Array.of(1, 2, 3, 4, 5, 6), dweight })
  expect([...dweight]).toEqual([4, 5, 1, 1, 7, 9])
})
