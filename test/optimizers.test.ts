import { readFileSync } from 'node:fs'
import {
  adam,
  adamW,
  clipByNorm,
  clipByValue,
  gradientNorm,
  type OptimizerFactory,
  Parameter,
  rmsprop,
  sgd,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`fixtures/training/${name}`, import.meta.url), 'utf8'))
const { start, gradients, cases } = read('optimizers.json') as {
  start: number[]
  gradients: number[][]
  cases: { name: string; options: object; weights: number[][] }[]
}
const factories: Record<string, (options?: object) => OptimizerFactory> = { sgd, rmsprop, adam, adamW }

function parameters(type: typeof Float64Array | typeof Float32Array = Float64Array) {
  const weight = new Parameter([3], new type(start))
  return { weight, map: new Map([['weight', weight]]) }
}

function run(factory: OptimizerFactory, { weight, map } = parameters()) {
  const optimizer = factory.bind(map)
  return gradients.map((gradient) => {
    weight.grad = weight.data.slice().fill(0) as Float64Array
    weight.grad.set(gradient)
    optimizer.step()
    return [...weight.data]
  })
}

describe('an optimizer', () => {
  it.each(cases)('$name $options follows PyTorch step by step in float64', ({ name, options, weights }) => {
    const found = run(factories[name](options))
    for (const [n, row] of weights.entries()) {
      // A handful of roundings a step, each of 1.1e-16 relative, on numbers up to 2.
      for (const [i, expected] of row.entries()) expect(Math.abs(found[n][i] - expected)).toBeLessThan(1e-14)
    }
  })

  it.each(cases)('$name $options does the same in float32 on the active back end', ({
    name,
    options,
    weights,
  }) => {
    const found = run(factories[name](options), parameters(Float32Array))
    for (const [n, row] of weights.entries()) {
      // Float32 roundings of 6e-8 relative; Adam's first steps divide gradients by their own size, which keeps them so.
      for (const [i, expected] of row.entries()) expect(Math.abs(found[n][i] - expected)).toBeLessThan(2e-6)
    }
  })

  it('multiplies the gradients by gradientScale first', () => {
    const [plain, scaled] = [parameters(), parameters()]
    plain.weight.grad = Float64Array.of(1, 2, 3)
    scaled.weight.grad = Float64Array.of(2, 4, 6)
    sgd({ learningRate: 1, momentum: 0.5 }).bind(plain.map).step()
    sgd({ learningRate: 1, momentum: 0.5 }).bind(scaled.map).step({ gradientScale: 0.5 })
    expect(scaled.weight.data).toEqual(plain.weight.data)
    expect([...plain.weight.data]).toEqual([-0.5, -3, -1])
  })

  it('leaves a parameter without a gradient alone, and takes a changed learning rate', () => {
    const { weight, map } = parameters()
    const idle = new Parameter([1], Float64Array.of(7))
    const optimizer = sgd({ learningRate: 1, weightDecay: 0.5 }).bind(map.set('idle', idle))
    optimizer.learningRate = 0.25
    weight.grad = Float64Array.of(4, 0, 0)
    optimizer.step()
    expect([...idle.data]).toEqual([7])
    expect([...weight.data]).toEqual([0.5 - 0.25 * (4 + 0.25), -1 + 0.25 * 0.5, 2 - 0.25])
    optimizer.zeroGrad()
    expect([...weight.grad]).toEqual([0, 0, 0])
  })

  it('goes on from its state with the same bits', () => {
    const whole = run(adamW({ learningRate: 0.05 }))
    const { weight, map } = parameters()
    const first = adamW({ learningRate: 0.05 }).bind(map)
    const step = (optimizer: typeof first, n: number) => {
      weight.grad = Float64Array.from(gradients[n])
      optimizer.step()
    }
    for (const n of [0, 1, 2]) step(first, n)
    const second = adamW({ learningRate: 0.05 }).bind(map)
    second.state = first.state
    for (const n of [3, 4]) step(second, n)
    expect([...weight.data]).toEqual(whole[4])
  })

  it('refuses the state of another optimizer or of other parameters', () => {
    const { map } = parameters()
    const state = adam().bind(map).state
    expect(() => (sgd().bind(map).state = state)).toThrow(/expected the state of sgd, got that of adam/)
    const other = new Map([['other', new Parameter([3], new Float64Array(3))]])
    expect(() => (adam().bind(other).state = state)).toThrow(/moment1.other is missing/)
    const wider = new Map([['weight', new Parameter([4], new Float64Array(4))]])
    expect(() => (adam().bind(wider).state = state)).toThrow(/moment1.weight has 3 elements, expected 4/)
  })

  it('refuses unknown options, values out of range and a model without parameters', () => {
    expect(() => adam({ learningrate: 1 } as object)).toThrow(
      /unknown option "learningrate"; did you mean "learningRate"/,
    )
    expect(() => sgd({ learningRate: -1 })).toThrow(/expected learningRate in \[0, Infinity\], got -1/)
    expect(() => adam({ beta2: 1 })).toThrow(/expected beta2 in \[0, 1\), got 1/)
    expect(() => sgd({ nesterov: true })).toThrow(/nesterov needs a momentum above 0/)
    expect(() => adam().bind(new Map())).toThrow(/the model has no parameters/)
  })
})

describe('clipping', () => {
  const withGradients = (...gradients: number[][]) =>
    new Map(
      gradients.map((gradient, n) => {
        const parameter = new Parameter([gradient.length], new Float64Array(gradient.length))
        parameter.grad = Float64Array.from(gradient)
        return [`p${n}`, parameter]
      }),
    )

  it.each(
    read('clipping.json') as { maximum: number; norm: number; gradients: number[][] }[],
  )('by norm $maximum scales all gradients together, as PyTorch does', ({ maximum, norm, gradients }) => {
    const clipped = clipByNorm(withGradients([3, -4], [12]), { maximum })
    expect(clipped.norm).toBe(norm)
    // One division and one product: two roundings.
    expect(3 * clipped.gradientScale).toBeCloseTo(gradients[0][0], 14)
    expect(12 * clipped.gradientScale).toBeCloseTo(gradients[1][0], 14)
  })

  it('by norm takes the factor the gradients are to have into account', () => {
    const { norm, gradientScale } = clipByNorm(withGradients([30, -40]), { maximum: 100, gradientScale: 0.1 })
    expect(norm).toBe(5)
    expect(gradientScale).toBe(0.1)
  })

  it('by value limits every element of the scaled gradient', () => {
    const parameters = withGradients([5, -0.5, -9], [2])
    clipByValue(parameters, { maximum: 1, gradientScale: 0.5 })
    expect([...parameters.get('p0')!.grad!]).toEqual([2, -0.5, -2])
    expect([...parameters.get('p1')!.grad!]).toEqual([2])
  })

  it('finds the norm of gradients whose squares overflow float32, and reports what is not finite', () => {
    const large = new Map([['p', new Parameter([2], new Float32Array(2))]])
    large.get('p')!.grad = Float32Array.of(3e30, 4e30)
    // The elements are float32 roundings of 3e30 and 4e30.
    expect(gradientNorm(large) / 5e30).toBeCloseTo(1, 6)
    large.get('p')!.grad = Float32Array.of(1, Number.NaN)
    expect(gradientNorm(large)).toBeNaN()
    large.get('p')!.grad = Float32Array.of(1, -Infinity)
    expect(gradientNorm(large)).toBe(Infinity)
  })
})
