/** Initial values of parameters. */
import { describe, expect, it } from 'vitest'
import { Embedding } from '../lib/layers/embedding.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { LayerNorm } from '../lib/layers/normalization.ts'
import { seedAll } from '../lib/random.ts'

describe('initial values', () => {
  const H = 64
  const valuesOf = (options: Partial<LSTMOptions>) => {
    const layer = new LSTM({ inputSize: 32, hiddenSize: H, seed: 3, dataType: 'float64', ...options })
    return Object.fromEntries(
      [...layer.parameters()].map(([name, each]) => [name, each.data as Float64Array]),
    )
  }
  const largest = (array: Float64Array) => array.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
  const average = (array: Float64Array) => array.reduce((total, each) => total + each, 0) / array.length
  const spread = (array: Float64Array) => Math.sqrt(average(array.map((each) => each ** 2)))

  it('of PyTorch are uniform within 1/√H everywhere', () => {
    const bound = 1 / Math.sqrt(H)
    for (const [name, values] of Object.entries(valuesOf({ projectionSize: 16, peepholes: true }))) {
      expect(largest(values), name).toBeLessThanOrEqual(bound)
      // A uniform sample of n has a spread of bound/√3 give or take less than bound/√n; the smallest here has n = 192.
      expect(Math.abs(spread(values) - bound / Math.sqrt(3)), name).toBeLessThan(
        bound / Math.sqrt(values.length),
      )
      expect(Math.abs(average(values)), name).toBeLessThan((3 * bound) / Math.sqrt(values.length))
    }
  })

  it('of Keras are Glorot-uniform, orthogonal, and zero but for the forget bias', () => {
    const values = valuesOf({ initialisation: 'keras' })
    const bound = Math.sqrt(6 / (32 + 4 * H))
    expect(largest(values.weight_ih_l0)).toBeLessThanOrEqual(bound)
    expect(largest(values.weight_ih_l0)).toBeGreaterThan(0.99 * bound)
    for (let j = 0; j < H; j++) {
      for (let k = 0; k <= j; k++) {
        let dot = 0
        for (let i = 0; i < 4 * H; i++) dot += values.weight_hh_l0[i * H + j] * values.weight_hh_l0[i * H + k]
        // Sums of 256 products of numbers below 1: rounding is below 256·2⁻⁵³ ≈ 3e-14.
        expect(Math.abs(dot - (j === k ? 1 : 0))).toBeLessThan(1e-13)
      }
    }
    expect([...values.bias_ih_l0]).toEqual(
      Array.from({ length: 4 * H }, (_, j) => (j >= H && j < 2 * H ? 1 : 0)),
    )
    expect(largest(values.bias_hh_l0)).toBe(0)
    expect(valuesOf({ initialisation: 'keras', forgetBias: 3 }).bias_ih_l0[H]).toBe(3)
  })

  it('of chrono spread the forget biases up to the longest dependency, input biases opposite', () => {
    const { bias_ih_l0: bias, bias_hh_l0: other } = valuesOf({ initialisation: 'chrono', chronoLength: 101 })
    const spans = bias.slice(H, 2 * H).map(Math.exp)
    expect(spans.every((each) => each >= 1 && each <= 100)).toBe(true)
    // 64 uniform numbers in [1, 100]: a mean of 50.5 with a standard error of 3.6.
    expect(Math.abs(average(spans) - 50.5)).toBeLessThan(11)
    expect(bias.slice(0, H)).toEqual(bias.slice(H, 2 * H).map((each) => -each))
    expect(largest(other.subarray(0, 2 * H))).toBe(0)
    expect(largest(other.subarray(2 * H))).toBeGreaterThan(0)
  })

  it('of the forget bias are added to bias_ih', () => {
    const plain = valuesOf({}).bias_ih_l0
    const raised = valuesOf({ forgetBias: 2 }).bias_ih_l0
    expect([...raised].map((each, j) => each - plain[j])).toEqual(
      // Adding 2 and taking the rest away rounds at 2⁻⁵².
      Array.from({ length: 4 * H }, (_, j) => (j >= H && j < 2 * H ? expect.closeTo(2, 14) : 0)),
    )
  })

  it('of layer normalisation are gains of 1 and a shift of 0', () => {
    const values = valuesOf({ layerNorm: true })
    expect(
      values.norm_ih_l0.every((each) => each === 1) && values.norm_hh_l0.every((each) => each === 1),
    ).toBe(true)
    expect([...values.norm_cell_l0]).toEqual(Array.from({ length: 2 * H }, (_, j) => (j < H ? 1 : 0)))
    expect([...new LayerNorm({ size: 2 }).weight.data]).toEqual([1, 1])
  })

  it('of Linear and Embedding are those of PyTorch', () => {
    const { weight, bias } = new Linear({ inputSize: 100, outputSize: 50, seed: 1, dataType: 'float64' })
    expect(largest(weight.data as Float64Array)).toBeLessThanOrEqual(0.1)
    expect(largest(bias!.data as Float64Array)).toBeGreaterThan(0.08)
    const table = new Embedding({
      vocabularySize: 100,
      embeddingSize: 50,
      paddingIndex: 1,
      seed: 1,
      dataType: 'float64',
    })
    const vectors = table.weight.data as Float64Array
    expect([...vectors.subarray(50, 100)]).toEqual(Array(50).fill(0))
    // 5,000 normal numbers: a spread of 1 give or take 0.01.
    expect(Math.abs(spread(vectors) - 1)).toBeLessThan(0.04)
  })

  it('of an Embedding have the deviation asked for', () => {
    const options = { vocabularySize: 100, embeddingSize: 50, seed: 1, dataType: 'float64' } as const
    const small = new Embedding({ ...options, deviation: 0.1 }).weight.data
    for (const [i, value] of new Embedding(options).weight.data.entries())
      expect(small[i]).toBeCloseTo(value / 10, 15)
    expect(() => new Embedding({ ...options, deviation: -1 })).toThrow(
      'Embedding: expected deviation in [0, Infinity], got -1',
    )
  })

  it('are fixed by the seed, or by the ambient stream without one', () => {
    const draw = (seed?: number) => [...new Linear({ inputSize: 3, outputSize: 2, seed }).weight.data]
    expect(draw(5)).toEqual(draw(5))
    expect(draw(5)).not.toEqual(draw(6))
    seedAll(1)
    const [first, second] = [draw(), draw()]
    seedAll(1)
    expect(draw()).toEqual(first)
    expect(first).not.toEqual(second)
  })
})
