/** Convolution, pooling, activations and what moves steps: against PyTorch and Keras, finite differences, and both back ends. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { backend, useBackend } from '../lib/kernels/index.ts'
import { type Padding, windowsOver } from '../lib/kernels/windows.ts'
import { type ActivationKind, type ActivationNumbers, activation } from '../lib/layers/activation.ts'
import { GlobalAveragePool1d, GlobalMaxPool1d } from '../lib/layers/pooling.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Masking } from '../lib/layers/steps.ts'
import * as activations from '../lib/operations/activations.ts'
import { maskSteps, reverseMask, reverseSteps } from '../lib/operations/steps.ts'
import * as windows from '../lib/operations/windows.ts'
import { Tensor, tensor } from '../lib/tensor.ts'
import { expectClose, floats } from './support/close.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

interface Case {
  xShape: number[]
  x: number[]
  y: number[]
  yShape: number[]
}
interface Fixture {
  conv1d: (Case & {
    options: windows.Conv1dOptions
    weightShape: number[]
    weight: number[]
    bias: number[]
  })[]
  pool1d: (Case & { kind: 'max' | 'average'; options: windows.Pool1dOptions & { countPadding?: boolean } })[]
  activations: { kind: ActivationKind; numbers: ActivationNumbers; x: number[]; y: number[] }[]
  masked: (Case & { kind: 'GlobalMaxPool1d' | 'GlobalAveragePool1d' })[]
}
const fixture: Fixture = JSON.parse(
  readFileSync(new URL('fixtures/layers/layers.json', import.meta.url), 'utf8'),
)

useBackend('native')
const { available } = backend()

describe.each(['reference', ...available] as const)('PyTorch and Keras agree on %s with', (name) => {
  it.each(fixture.conv1d)('a convolution $options of x [$xShape]', (one) => {
    useBackend(name)
    const y = windows.conv1d(
      floats(one.x, one.xShape),
      floats(one.weight, one.weightShape),
      tensor(one.bias),
      one.options,
    )
    expect(y.shape).toEqual(one.yShape)
    expectClose(y.data, one.y)
  })

  it.each(fixture.pool1d)('$kind pooling $options of x [$xShape]', (one) => {
    useBackend(name)
    const operation = one.kind === 'max' ? windows.maxPool1d : windows.averagePool1d
    const y = operation(floats(one.x, one.xShape), one.options)
    expect(y.shape).toEqual(one.yShape)
    expectClose(y.data, one.y)
  })

  it.each(fixture.activations)('$kind $numbers', (one) => {
    useBackend(name)
    const y = activation(one.kind, one.numbers).forward(floats(one.x, [1, one.x.length]))
    expectClose(y.data, one.y)
  })

  it.each(fixture.masked)('$kind after Masking', (one) => {
    useBackend(name)
    const pool = one.kind === 'GlobalMaxPool1d' ? new GlobalMaxPool1d() : new GlobalAveragePool1d()
    const y = new Sequential([new Masking(), pool]).forward(floats(one.x, one.xShape))
    expectClose(y.data, one.y)
  })
})

describe('gradients agree with finite differences:', () => {
  const x = randomTensor([2, 7, 4], { seed: 1 })

  it.each([
    { padding: 'valid' },
    { padding: 'same', stride: 2 },
    { padding: 'causal', dilation: 2 },
    { padding: 3, stride: 3, dilation: 2 },
    { padding: 'same', groups: 2 },
  ] as windows.Conv1dOptions[])('conv1d with %j', (options) => {
    const weight = randomTensor([6, 4 / (options.groups ?? 1), 3], { seed: 2 })
    const bias = randomTensor([6], { seed: 3 })
    expectGradients({ x, weight, bias }, (inputs) => [
      windows.conv1d(inputs.x, inputs.weight, inputs.bias, options),
      windows.conv1d(inputs.x, inputs.weight, undefined, options),
    ])
  })

  it.each([
    { size: 2 },
    { size: 3, stride: 2, padding: 'same' },
    { size: 3, stride: 1, padding: 1 },
  ] as windows.Pool1dOptions[])('pools with %j', (options) => {
    expectGradients({ x }, (inputs) => [
      windows.maxPool1d(inputs.x, options),
      windows.averagePool1d(inputs.x, options),
      windows.averagePool1d(inputs.x, { ...options, countPadding: true }),
    ])
  })

  it('global pools, where some steps or all do not count', () => {
    const mask = Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    expectGradients({ x }, (inputs) => [
      windows.globalMaxPool1d(inputs.x),
      windows.globalMaxPool1d(inputs.x, { mask }),
      windows.globalAveragePool1d(inputs.x),
      windows.globalAveragePool1d(inputs.x, { mask }),
    ])
  })

  it('maskSteps and reverseSteps', () => {
    const mask = Uint8Array.from({ length: 14 }, (_, row) => row % 3)
    expectGradients({ x }, (inputs) => [
      maskSteps(inputs.x, mask),
      reverseSteps(inputs.x),
      reverseSteps(inputs.x, { lengths: Int32Array.of(3, 0) }),
    ])
  })

  it('activations, away from their kinks', () => {
    const inputs = { x: new Tensor([2, 4], Float64Array.of(-7, -2.4, -0.9, -0.1, 0.3, 1.1, 2.4, 7), true) }
    expectGradients(inputs, ({ x }) => [
      activations.relu6(x),
      activations.leakyRelu(x, { alpha: 0.3 }),
      activations.elu(x),
      activations.elu(x, { alpha: 0.7 }),
      activations.selu(x),
      activations.softsign(x),
      activations.hardSigmoid(x, { alpha: 0.2 }),
      activations.hardSigmoid(x, { alpha: 0.3, beta: 0.4 }),
      activations.silu(x),
      activations.hardSilu(x),
      activations.mish(x),
      activations.geluTanh(x),
    ])
  })
})

describe('windows', () => {
  it("padded 'same' depend on the stride, with the odd step after the end, as TensorFlow", () => {
    const zerosBefore = (T: number, size: number, stride: number) =>
      windowsOver(T, { size, stride, dilation: 1, padding: 'same' }).before
    // Both give 3 windows over 6 steps with stride 2: one step is missing for size 3, three for size 5.
    expect([zerosBefore(6, 3, 1), zerosBefore(6, 3, 2), zerosBefore(6, 5, 2), zerosBefore(6, 2, 3)]).toEqual([
      1, 0, 1, 0,
    ])
  })

  it.each([
    'valid',
    'same',
    'causal',
    2,
  ] as Padding[])('padded %s never see the future where causal', (padding) => {
    const weight = tensor(
      Float64Array.from({ length: 3 }, () => 1),
      { shape: [1, 1, 3] },
    )
    const at = (value: number) =>
      windows.conv1d(tensor(Float64Array.of(1, 1, 1, value, 1), { shape: [1, 5, 1] }), weight, undefined, {
        padding,
      }).data
    const before = [...at(1)]
    const changed = [...at(2)].flatMap((y, s) => (y === before[s] ? [] : [s]))
    expect(changed).toEqual({ valid: [1, 2], same: [2, 3, 4], causal: [3, 4], 2: [3, 4, 5] }[padding])
  })

  it.each([
    [{ stride: 0 }, 'expected stride to be a positive integer, got 0'],
    [{ dilation: 1.5 }, 'expected dilation to be a positive integer'],
    [{ padding: -1 }, 'expected padding valid, same, causal or an integer of at least 0, got -1'],
    [{ padding: 'full' }, 'got full'],
    [{ groups: 2 }, 'O a multiple of 2, got [3,2,3]'],
    [{ dilation: 3 }, 'a window of 7 steps does not fit into 5 with padding valid'],
  ])('refuse %j', (options, message) => {
    const call = () =>
      windows.conv1d(
        randomTensor([1, 5, 2]),
        randomTensor([3, 2, 3]),
        undefined,
        options as windows.Conv1dOptions,
      )
    expect(call).toThrow(message)
  })

  it('refuse shapes that do not fit', () => {
    const weight = randomTensor([3, 2, 2])
    expect(() => windows.conv1d(randomTensor([1, 5, 3]), weight)).toThrow('x of shape [B, T, 2], got [1,5,3]')
    expect(() => windows.conv1d(randomTensor([1, 5, 2]), weight, randomTensor([2]))).toThrow(
      'bias of shape [3]',
    )
    const pool = (options: object) => () =>
      windows.maxPool1d(randomTensor([1, 5, 2]), options as windows.Pool1dOptions)
    expect(pool({ size: 3, padding: 2 })).toThrow('at most half the size 3, got 2')
    expect(pool({ size: 3, padding: 'causal' })).toThrow('got causal')
    expect(pool({ size: 6 })).toThrow('a window of 6 steps does not fit into 5')
    const mask = new Uint8Array(4)
    expect(() => windows.globalMaxPool1d(randomTensor([1, 5, 2]), { mask })).toThrow('B·T = 5 bytes')
  })

  it.each(available)('of which no step counts give 0, and NaN goes through both pools, on %s', (name) => {
    useBackend(name)
    const x = tensor([
      [
        [3, Number.NaN],
        [5, 1],
        [7, -2],
      ],
      [
        [1, 2],
        [3, 4],
        [Number.NaN, 9],
      ],
    ])
    const mask = Uint8Array.of(1, 0, 1, 0, 0, 0)
    for (const kernels of [name, 'reference'] as const) {
      useBackend(kernels)
      expect([...windows.globalMaxPool1d(x, { mask }).data]).toEqual([7, Number.NaN, 0, 0])
      expect([...windows.globalAveragePool1d(x, { mask }).data]).toEqual([5, Number.NaN, 0, 0])
      expect([...windows.globalMaxPool1d(x).data]).toEqual([7, Number.NaN, Number.NaN, 9])
    }
  })

  it.each([
    'reference',
    ...available,
  ] as const)('that tie give the gradient to the first step, on %s', (name) => {
    useBackend(name)
    // Nine channels, so that every target has a vector and a rest; the first step is the largest in the last one only.
    const x = new Tensor(
      [1, 3, 9],
      Float32Array.from({ length: 27 }, (_, i) => (i < 8 ? 1 : 4)),
      true,
    )
    windows.maxPool1d(x, { size: 3 }).backward(new Float32Array(9).fill(2))
    const gets = (step: number) => [...x.grad!.subarray(step * 9, (step + 1) * 9)]
    expect([gets(0), gets(1), gets(2)]).toEqual([
      [0, 0, 0, 0, 0, 0, 0, 0, 2],
      [2, 2, 2, 2, 2, 2, 2, 2, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ])
  })
})

describe('steps', () => {
  it('are reversed within their lengths, and their mask with them', () => {
    const x = tensor([
      [[1], [2], [3]],
      [[4], [5], [6]],
    ])
    const lengths = Int32Array.of(3, 2)
    expect([...reverseSteps(x).data]).toEqual([3, 2, 1, 6, 5, 4])
    expect([...reverseSteps(x, { lengths }).data]).toEqual([3, 2, 1, 5, 4, 6])
    expect([...reverseMask(x, Uint8Array.of(1, 0, 0, 1, 0, 1), { lengths })]).toEqual([0, 0, 1, 0, 1, 1])
  })

  it('that a mask leaves out become 0, even where they are not finite', () => {
    const x = tensor([[[1], [Infinity], [Number.NaN]]])
    expect([...maskSteps(x, Uint8Array.of(1, 0, 0)).data]).toEqual([1, 0, 0])
    expect(() => maskSteps(x, new Uint8Array(2))).toThrow('Uint8Array of B·T = 3 bytes, got Uint8Array(2)')
  })
})
