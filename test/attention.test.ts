/** Attention and products of many matrices: PyTorch's numbers, finite differences, masks, layers. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { backend, useBackend } from '../lib/kernels/index.ts'
import { Attention, type AttentionScore } from '../lib/layers/attention.ts'
import { type Layer, parametersOf, setTraining } from '../lib/layers/layer.ts'
import { MultiHeadAttention } from '../lib/layers/multi-head-attention.ts'
import { layerFromConfig } from '../lib/layers/registry.ts'
import { attention, causalMask } from '../lib/operations/attention.ts'
import { matmul } from '../lib/operations/linear.ts'
import { seedAll } from '../lib/random.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

interface Numbers {
  shape: number[]
  data: number[]
}
type Case = Record<string, Numbers>
const file = new URL('fixtures/attention/attention.json', import.meta.url)
const cases = JSON.parse(readFileSync(file, 'utf8')) as {
  scaled: (Case & { mask: unknown; scale: unknown })[]
  additive: Case[]
  multiHead: (Case & { options: unknown; lengths: unknown; parameters: unknown })[]
  matmul: Case[]
}

const given = ({ shape, data }: Numbers) => tensor(Float32Array.from(data), { shape, requiresGrad: true })

/** Some sums of ten float32 terms on either side. */
const tolerance = 2e-6

function expectNumbers(actual: ArrayLike<number>, { data }: Numbers) {
  expect(actual.length).toBe(data.length)
  for (const [i, value] of data.entries()) {
    expect(Math.abs(actual[i] - value), `number ${i}: ${actual[i]}, ${value}`).toBeLessThan(
      tolerance * Math.max(1, Math.abs(value)),
    )
  }
}

function expectAsInPyTorch(one: Case, inputs: Record<string, Tensor>, output: Tensor) {
  expect(output.shape).toEqual(one.output.shape)
  expectNumbers(output.data, one.output)
  output.backward(Float32Array.from(one.upstream.data))
  for (const [name, each] of Object.entries(inputs)) expectNumbers(each.grad!, one[`d${name}`])
}

describe('the numbers of PyTorch:', () => {
  it.each(
    cases.scaled.map((one) => [String(one.mask), one] as const),
  )('scaled dot products, mask %s', (mask, one) => {
    const inputs = { query: given(one.query), key: given(one.key), value: given(one.value) }
    const { output } = attention(inputs.query, inputs.key, inputs.value, {
      scale: Number(one.scale),
      ...(mask === 'causal' && { mask: causalMask(4) }),
      ...(mask === 'keys' && { lengths: Int32Array.of(4, 2) }),
    })
    expectAsInPyTorch(one, inputs, output)
  })

  it('additive attention', () => {
    const [one] = cases.additive
    const { query, key, value, vector } = one
    const inputs = { query: given(query), key: given(key), value: given(value), vector: given(vector) }
    const { output } = attention(inputs.query, inputs.key, inputs.value, { vector: inputs.vector })
    expectAsInPyTorch(one, inputs, output)
  })

  it.each(
    cases.multiHead.map((one) => [JSON.stringify(one.options), one] as const),
  )('MultiHeadAttention %s', (_, one) => {
    const layer = new MultiHeadAttention(one.options as never)
    const parameters = parametersOf(layer)
    const stored = Object.entries(one.parameters as unknown as Case)
    expect([...parameters.keys()].sort()).toEqual(stored.map(([name]) => name).sort())
    for (const [name, numbers] of stored) parameters.get(name)!.write(Float32Array.from(numbers.data))
    const inputs = { query: given(one.query), key: given(one.key), value: given(one.value) }
    const lengths = Int32Array.from(one.lengths as number[])
    const result = layer.attend(inputs.query, inputs.key, inputs.value, { lengths })
    expectNumbers(result.weights.data, one.weights)
    expectAsInPyTorch(one, inputs, result.output)
  })

  it('matmul of many matrices', () => {
    const [one] = cases.matmul
    const inputs = { a: given(one.a), b: given(one.b) }
    expectAsInPyTorch(one, inputs, matmul(inputs.a, inputs.b))
  })
})

describe('gradients agree with finite differences:', () => {
  const inputs = {
    query: randomTensor([2, 3, 4], { seed: 1 }),
    key: randomTensor([2, 5, 4], { seed: 2 }),
    value: randomTensor([2, 5, 6], { seed: 3 }),
  }
  const masks = [
    ['none', {}],
    ['lengths', { lengths: Int32Array.of(5, 2) }],
    ['keys', { keyMask: Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 1, 1, 0) }],
    ['pairs', { mask: new Uint8Array(15).map((_, i) => Number(i % 4 !== 1)) }],
    ['no key at all for the second', { lengths: Int32Array.of(3, 0) }],
    ['causal', { causal: true }],
  ] as const

  it.each(masks)('dot products in two heads, mask %s', (_, options) => {
    expectGradients(inputs, ({ query, key, value }) => {
      const { output, weights } = attention(query, key, value, { heads: 2, scale: 0.7, ...options })
      return [output, weights]
    })
  })

  it.each(masks)('additive in two heads, mask %s', (_, options) => {
    const vector = randomTensor([4], { seed: 4 })
    expectGradients({ ...inputs, vector }, ({ query, key, value, vector }) => {
      const { output, weights } = attention(query, key, value, { heads: 2, vector, ...options })
      return [output, weights]
    })
  })

  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('matmul of many matrices, transposed %s and %s', (transposeA, transposeB) => {
    const a = randomTensor(transposeA ? [2, 3, 4, 2] : [2, 3, 2, 4], { seed: 5 })
    const b = randomTensor(transposeB ? [2, 3, 5, 4] : [2, 3, 4, 5], { seed: 6 })
    expectGradients({ a, b }, ({ a, b }) => matmul(a, b, { transposeA, transposeB }))
  })
})

describe('dropout of weights', () => {
  const query = randomTensor([2, 3, 4], { seed: 1 })
  const key = randomTensor([2, 5, 4], { seed: 2 })
  /** Values of two heads that hand on which key they come from: the output is what is left of the weights. */
  const marks = tensor(
    Float64Array.from({ length: 2 * 5 * 10 }, (_, i) => Number(i % 5 === Math.floor(i / 10) % 5)),
    { shape: [2, 5, 10] },
  )
  const left = (heads: Tensor) =>
    Array.from({ length: 2 * 2 * 3 * 5 }, (_, i) => {
      const [b, n, t, s] = [Math.floor(i / 30), Math.floor(i / 15) % 2, Math.floor(i / 5) % 3, i % 5]
      return heads.array[(b * 3 + t) * 10 + n * 5 + s]
    })

  it('drops some, scales up the others, and gives the weights as they were', () => {
    const options = { heads: 2, scale: 0.7, lengths: Int32Array.of(5, 4) }
    seedAll(3)
    const { output, weights } = attention(query, key, marks, { ...options, dropout: 0.4 })
    const whole = attention(query, key, marks, options)
    expect(weights.array).toEqual(whole.weights.array)
    const ratios = left(output).map((each, i) => each / weights.array[i])
    const dropped = ratios.filter((each) => each === 0).length
    // Of 54 weights 22 are expected, with a standard deviation of 3.6.
    expect(Math.abs(dropped - 22)).toBeLessThan(15)
    for (const each of ratios) if (each > 0) expect(each).toBeCloseTo(1 / 0.6, 12)
    seedAll(3)
    expect(attention(query, key, marks, { ...options, dropout: 0.4 }).output.array).toEqual(output.array)
    expect(attention(query, key, marks, { ...options, dropout: 0.4 }).output.array).not.toEqual(output.array)
  })

  it('drops the same ones on every back end', () => {
    const single = ({ shape, array }: Tensor) => tensor(Float32Array.from(array as Float64Array), { shape })
    const zeros = ['reference', ...backend().available].map((name) => {
      useBackend(name as 'reference')
      seedAll(3)
      const [q, k, v] = [query, key, marks].map(single)
      const { output } = attention(q, k, v, { heads: 2, dropout: 0.4 })
      return left(output).map((each) => each === 0)
    })
    useBackend('native')
    for (const each of zeros) expect(each).toEqual(zeros[0])
    expect(zeros[0].includes(true)).toBe(true)
  })

  it.each([false, true])('has gradients that agree with finite differences, additive %s', (additive) => {
    const value = randomTensor([2, 5, 6], { seed: 3 })
    const vector = additive ? randomTensor([4], { seed: 4 }) : undefined
    const options = { heads: 2, scale: 0.7, dropout: 0.4, lengths: Int32Array.of(5, 2) }
    expectGradients({ query, key, value, ...(vector && { vector }) }, ({ query, key, value, vector }) => {
      const { output, weights } = attention(query, key, value, { ...options, vector })
      return [output, weights]
    })
  })

  it.each([
    ['MultiHeadAttention', { embedSize: 4, heads: 2, causal: true }],
    ['Attention', { score: 'additive', querySize: 4 }],
  ])('%s has it while training only, keeps it in its configuration and differentiates', (type, options) => {
    const make = (more: object) =>
      layerFromConfig({ type, ...options, seed: 3, dataType: 'float64', ...more })
    const [layer, plain] = [make({ dropout: 0.4 }), make({})]
    const x = query.detach()
    const run = (each: Layer) => (each.forward(x) as Tensor).array
    expect(run(layer)).toEqual(run(plain))
    expect(layer.config()).toMatchObject({ dropout: 0.4 })
    expect(plain.config()).toMatchObject({ dropout: 0 })
    expect(layerFromConfig(JSON.parse(JSON.stringify(layer.config()))).config()).toEqual(layer.config())
    setTraining(layer, true)
    expect(run(layer)).not.toEqual(run(layer))
    expectGradients(
      { query, ...Object.fromEntries(parametersOf(layer)) },
      ({ query }) => layer.forward(query) as Tensor,
    )
    expect(() => make({ dropout: 1 })).toThrow(`${type}: expected dropout in [0, 1), got 1`)
  })
})

describe('attention', () => {
  const query = randomTensor([2, 1, 2]).detach()
  const memory = randomTensor([2, 3, 2], { seed: 2 }).detach()

  it('does not read what is masked', () => {
    const broken = memory.clone()
    broken.data.fill(Number.NaN, 4, 6)
    const lengths = Int32Array.of(2, 3)
    const { output, weights } = attention(query, broken, broken, { lengths })
    expect(output.toArray()).toEqual(attention(query, memory, memory, { lengths }).output.toArray())
    expect(weights.data[2]).toBe(0)
  })

  it('is causal as with causalMask, and heeds both a mask and causal', () => {
    const x = randomTensor([2, 3, 4]).detach()
    const expected = attention(x, x, x, { heads: 2, mask: causalMask(3) }).output.array
    expect(attention(x, x, x, { heads: 2, causal: true }).output.array).toEqual(expected)
    const mask = Uint8Array.of(1, 1, 1, 0, 1, 1, 1, 1, 0)
    const both = causalMask(3).map((each, i) => each & mask[i])
    expect(attention(x, x, x, { mask, causal: true }).output.array).toEqual(
      attention(x, x, x, { mask: both }).output.array,
    )
  })

  it('gives zeros where no key counts', () => {
    const { output, weights } = attention(query, memory, memory, { lengths: Int32Array.of(0, 3) })
    expect([...output.data.slice(0, 2), ...weights.data.slice(0, 3)]).toEqual([0, 0, 0, 0, 0])
  })

  it('lets several rows ask one memory, as if each had a copy', () => {
    const rows = Int32Array.of(1, 1)
    const copied = tensor(Float64Array.from([...memory.data.slice(6), ...memory.data.slice(6)]), {
      shape: [2, 3, 2],
    })
    expect(attention(query, memory, memory, { rows }).output.toArray()).toEqual(
      attention(query, copied, copied).output.toArray(),
    )
    expect(() => attention(query, memory, memory, { rows: Int32Array.of(0, 2) })).toThrow('got 2')
  })

  it('refuses shapes and options that do not fit', () => {
    expect(() => attention(query, memory, memory, { heads: 3 })).toThrow('in 3 equal parts')
    expect(() => attention(query, randomTensor([2, 3, 4]), memory)).toThrow('expected key of shape [2,3,2]')
    expect(() => attention(query, memory, memory, { mask: new Uint8Array(4) })).toThrow('B·T·S = 6')
    expect(() => attention(query, memory, memory, { dropout: 1 })).toThrow(
      'expected dropout in [0, 1), got 1',
    )
    expect(() => attention(query, memory, memory, { head: 1 } as never)).toThrow('did you mean "heads"?')
    expect(() => matmul(randomTensor([2, 1, 2]), memory.detach())).toThrow('[..., K, N]')
  })
})

describe('the layers', () => {
  const memory = randomTensor([2, 3, 5], { seed: 2 }).detach()
  const sizes = { querySize: 4, memorySize: 5, seed: 3, dataType: 'float64' } as const

  it.each<[AttentionScore, object]>([
    ['dot', { memorySize: 4 }],
    ['scaled', { memorySize: 4 }],
    ['general', {}],
    ['additive', { size: 3 }],
  ])('Attention by %s score differentiates and comes back from its configuration', (score, options) => {
    const layer = new Attention({ ...sizes, score, ...options })
    const query = randomTensor([2, 2, 4])
    const remembered = 'memorySize' in options ? randomTensor([2, 3, 4], { seed: 5 }) : memory
    const lengths = Int32Array.of(3, 1)
    expectGradients({ query, ...Object.fromEntries(parametersOf(layer)) }, ({ query }) =>
      layer.forward(query, { memory: remembered, lengths }),
    )
    const again = layerFromConfig(JSON.parse(JSON.stringify(layer.config()))) as Attention
    expect(again.forward(query, { memory: remembered }).toArray()).toEqual(
      layer.forward(query, { memory: remembered }).toArray(),
    )
  })

  it('MultiHeadAttention attends to what came before only, if causal, and comes back from its configuration', () => {
    const layer = new MultiHeadAttention({ embedSize: 4, heads: 2, causal: true, seed: 1 })
    const x = tensor(
      Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
      { shape: [1, 3, 4] },
    )
    const { weights } = layer.attend(x, x, x)
    expect(weights.data.slice(0, 3)).toEqual(Float32Array.of(1, 0, 0))
    const again = layerFromConfig(JSON.parse(JSON.stringify(layer.config()))) as MultiHeadAttention
    expect(again.forward(x).toArray()).toEqual(layer.forward(x).toArray())
  })

  it('refuse what does not fit', () => {
    expect(() => new Attention({ score: 'dott' as never, querySize: 2 })).toThrow('did you mean "dot"?')
    expect(() => new Attention({ score: 'dot', querySize: 2, memorySize: 3 })).toThrow('memorySize of 2')
    expect(() => new MultiHeadAttention({ embedSize: 5, heads: 2 })).toThrow('a multiple of heads')
  })
})
