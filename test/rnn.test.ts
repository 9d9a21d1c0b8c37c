/** The Elman network: PyTorch's numbers, finite differences, the reference on every target, plans, masks and files. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  adam,
  compile,
  fit,
  Linear,
  load,
  parametersOf,
  RNN,
  type RNNOptions,
  Sequential,
  save,
  tensor,
} from 'lstm-native'
import { afterAll, describe, expect, it } from 'vitest'
import type { RnnActivation } from '../lib/kernels/contract-rnn.ts'
import { backend, kernelsFor, setThreads, useBackend } from '../lib/kernels/index.ts'
import { referenceKernels } from '../lib/kernels/reference/index.ts'
import { layerFromConfig } from '../lib/layers/registry.ts'
import { meanSquaredError } from '../lib/operations/losses.ts'
import { add, multiply } from '../lib/operations/pointwise.ts'
import { sum } from '../lib/operations/reductions.ts'
import { rnn } from '../lib/operations/rnn.ts'
import { Random } from '../lib/random.ts'
import { Tensor } from '../lib/tensor.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

interface Case {
  options: Pick<RNNOptions, 'inputSize' | 'hiddenSize' | 'numLayers' | 'bidirectional'>
  B: number
  T: number
  lengths: number[] | null
  x: number[]
  h0: number[]
  w: number[]
  v: number[]
  output: number[]
  hn: number[]
  dx: number[]
  dh0: number[]
  parameters: Record<string, number[]>
  gradients: Record<string, number[]>
}
const cases: Case[] = JSON.parse(readFileSync(new URL('fixtures/rnn/rnn.json', import.meta.url), 'utf8'))

/** The largest difference, relative to the largest number. */
function worst(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const pairs = Array.from(expected, (value, i) => [value, actual[i]])
  const largest = Math.max(1e-3, ...pairs.map(([value]) => Math.abs(value)))
  expect(actual.length).toBe(expected.length)
  return Math.max(0, ...pairs.map(([value, other]) => Math.abs(value - other))) / largest
}

describe.each(cases)('torch.nn.RNN with $options, lengths $lengths', (each) => {
  it.each([
    // PyTorch's numbers are written with 15 digits.
    ['float64', 1e-13],
    // Sums of at most 8 products over 5 steps, in single precision.
    ['float32', 2e-6],
  ] as const)('has the same output and gradients in %s', (dataType, tolerance) => {
    useBackend(dataType === 'float64' ? 'reference' : 'native')
    const { B, T, options } = each
    const { inputSize: I, hiddenSize: H, numLayers: L = 1 } = options
    const D = options.bidirectional ? 2 : 1
    const from = (numbers: number[], shape: number[], requiresGrad = false) =>
      tensor(dataType === 'float64' ? Float64Array.from(numbers) : Float32Array.from(numbers), {
        shape,
        requiresGrad,
      })
    const layer = new RNN({ ...options, dataType })
    const parameters = parametersOf(layer)
    expect([...parameters.keys()].sort()).toEqual(Object.keys(each.parameters).sort())
    for (const [name, parameter] of parameters)
      parameter.write(from(each.parameters[name], [...parameter.shape]).array as Float32Array)
    const x = from(each.x, [B, T, I], true)
    const h0 = from(each.h0, [L * D, B, H], true)
    const lengths = each.lengths ? Int32Array.from(each.lengths) : undefined
    const { output, state } = layer.forward(x, { state: { h: h0 }, lengths })
    expect(worst(output.array, each.output)).toBeLessThan(tolerance)
    expect(worst(state.h.array, each.hn)).toBeLessThan(tolerance)
    const parts = [
      multiply(output, from(each.w, [B, T, D * H])),
      multiply(state.h, from(each.v, [L * D, B, H])),
    ]
    add(sum(parts[0]), sum(parts[1])).backward()
    expect(worst(x.grad!, each.dx)).toBeLessThan(tolerance)
    expect(worst(h0.grad!, each.dh0)).toBeLessThan(tolerance)
    for (const [name, { grad }] of parameters)
      expect(worst(grad!, each.gradients[name]), name).toBeLessThan(tolerance)
    useBackend('native')
  })
})

describe('the gradients of the operation agree with finite differences', () => {
  it.each([
    { activation: 'tanh' as const, reverse: false, lengths: undefined },
    { activation: 'tanh' as const, reverse: true, lengths: Int32Array.of(3, 0, 2) },
    { activation: 'relu' as const, reverse: false, lengths: Int32Array.of(1, 4, 3) },
  ])('%j', ({ activation, reverse, lengths }) => {
    useBackend('reference')
    const inputs = {
      x: randomTensor([3, 4, 2], { seed: 1 }),
      weightIh: randomTensor([3, 2], { seed: 2 }),
      weightHh: randomTensor([3, 3], { seed: 3 }),
      biasIh: randomTensor([3], { seed: 4 }),
      biasHh: randomTensor([3], { seed: 5 }),
      h0: randomTensor([3, 3], { seed: 6 }),
    }
    expectGradients(inputs, ({ x, ...weights }) => {
      const { output, hn } = rnn(x, {
        ...(weights as unknown as Parameters<typeof rnn>[1]),
        activation,
        reverse,
        lengths,
      })
      return [output, hn]
    })
    useBackend('native')
  })
})

useBackend('native')
const { available, threads } = backend()

/** A call of both kernels on arrays of one type, and everything they write. */
function run(
  kernels: Pick<typeof referenceKernels, 'rnnForward' | 'rnnBackward'>,
  { B, T, H, activation }: { B: number; T: number; H: number; activation: RnnActivation },
  type: Float32ArrayConstructor | Float64ArrayConstructor,
) {
  const random = new Random(7)
  const numbers = (length: number, scale = 1) => {
    const array = new type(length)
    for (let i = 0; i < length; i++) array[i] = Math.fround(random.uniform(-scale, scale))
    return array
  }
  const call = {
    B,
    T,
    H,
    activation,
    reverse: T % 2 === 0,
    lengths: B > 2 ? Int32Array.from({ length: B }, (_, b) => (b * 3) % (T + 1)) : undefined,
    weightHh: numbers(H * H, 1 / Math.sqrt(H)),
    biasHh: numbers(H),
    h0: numbers(B * H),
    y: new type(B * T * H),
    yBatchStride: T * H,
    yTimeStride: H,
  }
  const hn = new type(B * H)
  kernels.rnnForward({ ...call, a: numbers(B * T * H), hn })
  const gradients = {
    da: numbers(B * T * H),
    dh0: numbers(B * H),
    dweightHh: numbers(H * H),
    dbiasHh: numbers(H),
  }
  kernels.rnnBackward({ ...call, dy: numbers(B * T * H), dhn: numbers(B * H), ...gradients })
  return { y: call.y, hn, ...gradients }
}

describe.each(available)('the kernels on %s', (target) => {
  const shapes = [1, 7, 8, 9, 15, 16, 17, 65].flatMap((H) => [
    { B: 1, T: 3, H, activation: 'tanh' as const },
    { B: 5, T: 4, H, activation: 'relu' as const },
  ])
  it.each(shapes)('equal the reference at B=$B T=$T H=$H $activation', (shape) => {
    useBackend(target)
    const expected = run(referenceKernels, shape, Float64Array)
    const actual = run(kernelsFor(new Float32Array(0)), shape, Float32Array)
    // 4·ceil(log2(K·T))·eps, K the longest sum, twice for the backward pass: the bound of the LSTM's tests.
    const bound = 8 * Math.ceil(Math.log2(Math.max(shape.H, shape.B) * shape.T + 2)) * 2 ** -23
    for (const name of ['y', 'hn', 'da', 'dh0', 'dweightHh', 'dbiasHh'] as const)
      expect(worst(actual[name], expected[name]), name).toBeLessThan(bound)
  })

  it('give the same bits at any number of threads, and to a sequence in any batch', () => {
    useBackend(target)
    const shape = { B: 64, T: 4, H: 65, activation: 'tanh' as const }
    setThreads(1)
    const alone = run(kernelsFor(new Float32Array(0)), shape, Float32Array)
    setThreads(3)
    const shared = run(kernelsFor(new Float32Array(0)), shape, Float32Array)
    setThreads(threads)
    expect(shared).toEqual(alone)
    const layer = new RNN({ inputSize: 3, hiddenSize: 17, seed: 1 })
    const x = randomTensor([9, 5, 3])
    const whole = layer.forward(new Tensor([9, 5, 3], Float32Array.from(x.array))).output
    const part = layer.forward(new Tensor([2, 5, 3], Float32Array.from(x.array.slice(4 * 15, 6 * 15)))).output
    expect(part.array).toEqual(whole.array.slice(4 * 5 * 17, 6 * 5 * 17))
  })
})

describe('the layer', () => {
  useBackend('native')
  const x = new Tensor([3, 6, 2], Float32Array.from(randomTensor([3, 6, 2]).array))

  it.each([
    {},
    { bidirectional: true },
    { nonlinearity: 'relu' as const, numLayers: 2, bias: false },
  ])('compiled gives what its forward gives: %j', (options) => {
    const model = new Sequential([
      new RNN({ inputSize: 2, hiddenSize: 9, seed: 2, ...options }),
      new Linear({ inputSize: 'bidirectional' in options ? 18 : 9, outputSize: 2, seed: 3 }),
    ])
    const lengths = Int32Array.of(6, 2, 0)
    const plan = compile(model)
    // The plan sums in another order.
    expect(worst(plan.predictSync(x).data, model.forward(x).data)).toBeLessThan(1e-6)
    const ragged = plan.predictSync(x, { lengths })
    expect(worst(ragged.data, model.forward(x, { lengths }).data)).toBeLessThan(1e-6)
  })

  it('goes on step by step in a stream as over the whole', async () => {
    const layer = new RNN({ inputSize: 2, hiddenSize: 5, seed: 2 })
    const stream = compile(layer).stream()
    const whole = layer.forward(x).output.array
    for (let t = 0; t < 6; t++) {
      const step = stream.nextSync(new Tensor([2], x.array.slice(2 * t, 2 * t + 2)))
      expect(worst(step.data, whole.slice(5 * t, 5 * t + 5))).toBeLessThan(1e-6)
    }
  })

  it('passes masked steps by: what stands there has no effect, and the state is that without them', () => {
    const layer = new RNN({ inputSize: 2, hiddenSize: 5, bidirectional: true, seed: 2 })
    const mask = Uint8Array.of(1, 0, 1, 1, 0, 1)
    const whole = new Tensor([1, 6, 2], x.array.slice(0, 12))
    const kept = new Tensor(
      [1, 4, 2],
      Float32Array.from([0, 2, 3, 5].flatMap((t) => [...x.array.slice(2 * t, 2 * t + 2)])),
    )
    whole.array.fill(Number.NaN, 2, 4)
    const masked = layer.forward(whole, { mask })
    const short = layer.forward(kept)
    expect([...masked.state.h.array]).toEqual([...short.state.h.array])
    expect([...masked.output.array.slice(20, 30)]).toEqual([...short.output.array.slice(10, 20)])
  })

  it('learns, and comes back from a file and from its configuration', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rnn-'))
    afterAll(() => rmSync(folder, { recursive: true }))
    const model = new Sequential([
      new RNN({ inputSize: 2, hiddenSize: 8, numLayers: 2, dropout: 0.1, seed: 2 }),
      new Linear({ inputSize: 8, outputSize: 1, seed: 3 }),
    ])
    const y = new Tensor(
      [3, 6, 1],
      Float32Array.from({ length: 18 }, (_, i) => x.array[2 * i]),
    )
    const losses: number[] = []
    for await (const { loss } of fit(
      model,
      { x, y },
      { loss: meanSquaredError, epochs: 60, optimizer: adam({ learningRate: 0.02 }), seed: 1 },
    ))
      losses.push(loss)
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0])
    await save(model, join(folder, 'rnn.safetensors'))
    const again = (await load(join(folder, 'rnn.safetensors'))) as Sequential
    expect(again.forward(x).data).toEqual(model.forward(x).data)
    const layer = new RNN({ inputSize: 2, hiddenSize: 3, nonlinearity: 'relu' })
    expect(layerFromConfig(layer.config()).config()).toEqual(layer.config())
  })

  it('refuses what does not fit, and says what was expected', () => {
    expect(() => new RNN({ inputSize: 2, hidenSize: 3 } as never)).toThrow('did you mean "hiddenSize"?')
    expect(() => new RNN({ inputSize: 2, hiddenSize: 0 })).toThrow(
      'expected hiddenSize to be a positive integer',
    )
    expect(() => new RNN({ inputSize: 2, hiddenSize: 3, nonlinearity: 'sigmoid' as never })).toThrow(
      'RNN: expected nonlinearity tanh or relu, got "sigmoid"',
    )
    const layer = new RNN({ inputSize: 2, hiddenSize: 3 })
    expect(() => layer.forward(new Tensor([1, 2, 3], new Float32Array(6)))).toThrow(
      'RNN.forward: expected x of shape [B, T, 2], got [1,2,3]',
    )
    const h = new Tensor([1, 2, 3], new Float32Array(6))
    expect(() => layer.forward(x, { state: { h } })).toThrow('expected state.h of shape [1,3,3], got [1,2,3]')
    expect(() => layer.forward(x, { lengths: Int32Array.of(7, 1, 1) })).toThrow(
      'expected lengths[0] in [0, 6], got 7',
    )
  })
})
