/** Optimizers over parameters in one memory: the same bits as a call for each parameter, in fewer calls. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  adam,
  adamW,
  clipByNorm,
  compile,
  type FitOptions,
  fit,
  gradientNorm,
  meanSquaredError,
  multiply,
  type Optimizer,
  type OptimizerFactory,
  Parameter,
  parametersOf,
  Random,
  rmsprop,
  save,
  sgd,
  sum,
  tensor,
} from 'lstm-native'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FloatArray } from '../lib/kernels/contract.ts'
import { type BackendName, backend, kernelsFor, useBackend } from '../lib/kernels/index.ts'
import { all, regressor, sequences, tagger, weightsOf } from './support/small-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-arena-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

const factories: [string, OptimizerFactory, 'sgdStep' | 'rmspropStep' | 'adamStep'][] = [
  ['sgd', sgd({ learningRate: 0.1 }), 'sgdStep'],
  ['sgd with decay', sgd({ learningRate: 0.1, weightDecay: 0.3 }), 'sgdStep'],
  ['sgd with momentum', sgd({ momentum: 0.9, weightDecay: 0.1 }), 'sgdStep'],
  ['sgd with nesterov', sgd({ momentum: 0.9, nesterov: true }), 'sgdStep'],
  ['rmsprop', rmsprop(), 'rmspropStep'],
  ['rmsprop with momentum and decay', rmsprop({ momentum: 0.5, weightDecay: 0.1 }), 'rmspropStep'],
  ['adam', adam({ learningRate: 0.05 }), 'adamStep'],
  ['adam with decay', adam({ weightDecay: 0.2 }), 'adamStep'],
  ['adamW', adamW({ learningRate: 0.05 }), 'adamStep'],
]
type FloatType = Float32ArrayConstructor | Float64ArrayConstructor

useBackend('native')
const { available } = backend()
afterAll(() => useBackend('native'))
const places: [string, FloatType, BackendName][] = [
  ...available.map((target): (typeof places)[number] => [`float32 on ${target}`, Float32Array, target]),
  ['float64', Float64Array, 'native'],
]

/** Around every vector width, and more than a thread's block. */
const sizes = [1, 7, 16, 17, 1, 33, 5000]

/** Parameters of equal numbers: `apart` stay where they are, the others may be moved. */
function parametersOfSizes(
  type: FloatType,
  { apart, lengths = sizes }: { apart: boolean; lengths?: number[] },
): Map<string, Parameter> {
  const random = new Random(3)
  return new Map(
    lengths.map((length, n) => {
      const array = new type(length).map(() => random.normal()) as FloatArray
      return [`p${n}`, new Parameter([length], array, apart)]
    }),
  )
}

/** Adds Σ w·x to a loss, x random, for the parameters that `isUsed` picks, and runs it backward. */
function backward(
  parameters: ReadonlyMap<string, Parameter>,
  { seed, isUsed = () => true }: { seed: number; isUsed?: (n: number) => boolean },
): void {
  for (const [n, parameter] of [...parameters.values()].entries()) {
    const random = new Random(seed * 100 + n)
    const x = parameter.array.slice().map(() => random.normal()) as FloatArray
    if (isUsed(n)) sum(multiply(parameter, tensor(x))).backward()
  }
}

const arrayOf = (parameter: Parameter) => parameter.array as FloatArray
const bits = ({ buffer, byteOffset, byteLength }: FloatArray) =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64')

function everything(optimizer: Optimizer, parameters: ReadonlyMap<string, Parameter>) {
  const { tensors, ...rest } = optimizer.state
  const ofNames = Object.keys(rest.steps).sort()
  return {
    steps: ofNames.map((name) => [name, rest.steps[name]]),
    weights: Array.from(parameters.values(), (each) => bits(arrayOf(each))),
    moments: [...tensors].map(([name, { data }]) => `${name} ${bits(data)}`).sort(),
  }
}

/** Elements between the parameters of an arena. */
function paddingOf(
  parameters: ReadonlyMap<string, Parameter>,
  arrays: (of: Parameter) => FloatArray,
): number[] {
  const views = Array.from(parameters.values(), arrays)
  const [{ buffer }] = views
  const whole = (
    views[0] instanceof Float64Array ? new Float64Array(buffer) : new Float32Array(buffer)
  ).slice()
  const used = new Set<number>()
  for (const { byteOffset, length, BYTES_PER_ELEMENT } of views)
    for (let i = 0; i < length; i++) used.add(byteOffset / BYTES_PER_ELEMENT + i)
  return Array.from(whole).filter((_, i) => !used.has(i))
}

describe.each(places)('parameters in an arena, %s', (_, type, target) => {
  beforeEach(() => useBackend(target))

  it.each(factories)('%s: one call does what a call for each did, bit for bit', (_, factory, kernel) => {
    const results = [true, false].map((apart) => {
      const parameters = parametersOfSizes(type, { apart })
      const calls = vi.spyOn(kernelsFor(new type(0)), kernel)
      const optimizer = factory.bind(parameters)
      for (const seed of [1, 2, 3]) {
        backward(parameters, { seed })
        optimizer.step({ gradientScale: 0.3 })
        optimizer.zeroGrad()
        optimizer.learningRate *= 0.7
      }
      expect(calls).toHaveBeenCalledTimes(apart ? 3 * sizes.length : 3)
      calls.mockRestore()
      return everything(optimizer, parameters)
    })
    expect(results[1]).toEqual(results[0])
  })

  it('without gradients some wait, keep their step counts, and are left out of runs of other counts', () => {
    const results = [true, false].map((apart) => {
      const parameters = parametersOfSizes(type, { apart })
      const optimizer = adam({ learningRate: 0.1 }).bind(parameters)
      const calls = vi.spyOn(kernelsFor(new type(0)), 'adamStep')
      const counts = [(n: number) => n !== 2 && n !== 3, () => true, () => true].map((isUsed, seed) => {
        calls.mockClear()
        backward(parameters, { seed, isUsed })
        optimizer.step()
        return calls.mock.calls.length
      })
      calls.mockRestore()
      return { counts, ...everything(optimizer, parameters) }
    })
    const { counts, ...together } = results[1]
    expect(counts).toEqual([2, 3, 3])
    expect(results[0]).toMatchObject(together)
    expect(together.steps.map(([, count]) => count)).toEqual([3, 3, 2, 2, 3, 3, 3])
  })

  it('stand at multiples of 64 bytes, and the zeros between them stay zeros', () => {
    for (const [, factory] of factories) {
      const parameters = parametersOfSizes(type, { apart: false })
      const optimizer = factory.bind(parameters)
      backward(parameters, { seed: 1 })
      for (const _ of [1, 2]) optimizer.step()
      for (const of of [arrayOf, ({ grad }: Parameter) => grad!]) {
        const views = Array.from(parameters.values(), of)
        expect(new Set(views.map(({ buffer }) => buffer)).size).toBe(1)
        expect(views.filter(({ byteOffset }) => byteOffset % 64 !== 0)).toEqual([])
        const padding = paddingOf(parameters, of)
        expect(padding.length).toBeGreaterThan(sizes.length)
        expect(padding.every((each) => each === 0)).toBe(true)
      }
    }
  })

  it('are updated apart where eps would make NaN of zeros', () => {
    for (const factory of [adam({ eps: 0 }), rmsprop({ eps: 1e-40 })]) {
      const parameters = parametersOfSizes(type, { apart: false })
      const optimizer = factory.bind(parameters)
      backward(parameters, { seed: 1 })
      optimizer.step()
      expect(paddingOf(parameters, arrayOf).every((each) => each === 0)).toBe(true)
    }
  })

  it('have the same norm as apart, in one call', () => {
    const norms = [true, false].map((apart) => {
      const parameters = parametersOfSizes(type, { apart })
      adam().bind(parameters)
      backward(parameters, { seed: 4 })
      const calls = vi.spyOn(kernelsFor(new type(0)), 'sumOfSquares')
      const norm = gradientNorm(parameters)
      expect(clipByNorm(parameters, { maximum: 1 }).norm).toBe(norm)
      expect(calls).toHaveBeenCalledTimes(2)
      calls.mockRestore()
      return norm
    })
    expect(norms[1]).toBe(norms[0])
  })
})

describe('an arena', () => {
  it('leaves alone whose data somebody may hold, and goes on around it', () => {
    const results = [true, false].map((apart) => {
      const parameters = parametersOfSizes(Float32Array, { apart })
      const held = parameters.get('p2')!.data
      const optimizer = adam().bind(parameters)
      const calls = vi.spyOn(kernelsFor(held), 'adamStep')
      backward(parameters, { seed: 1 })
      const before = [...held]
      optimizer.step()
      expect(calls).toHaveBeenCalledTimes(apart ? sizes.length : 2)
      calls.mockRestore()
      expect(parameters.get('p2')!.data).toBe(held)
      expect([...held]).not.toEqual(before)
      return everything(optimizer, parameters)
    })
    expect(results[1]).toEqual(results[0])
  })

  it('leaves alone an array that the parameter was made of', () => {
    const own = Float64Array.of(1, 2)
    const parameter = new Parameter([2], own)
    const optimizer = sgd({ learningRate: 1 }).bind(new Map([['own', parameter]]))
    backward(new Map([['own', parameter]]), { seed: 1 })
    optimizer.step()
    expect([...own]).toEqual([1 - parameter.grad![0], 2 - parameter.grad![1]])
  })

  it('hands a gradient out once: one that was taken away and kept does not change', () => {
    const parameters = parametersOfSizes(Float64Array, { apart: false })
    const optimizer = sgd().bind(parameters)
    backward(parameters, { seed: 1 })
    const first = parameters.get('p1')!
    const kept = first.grad!
    const copy = [...kept]
    first.grad = undefined
    backward(parameters, { seed: 2 })
    expect([...kept]).toEqual(copy)
    expect(first.grad).not.toBe(kept)
    const [before, own] = [[...arrayOf(first)], first.grad as FloatArray | undefined]
    optimizer.step()
    expect([...arrayOf(first)]).toEqual(before.map((w, i) => w - 1e-3 * own![i]))
    optimizer.zeroGrad()
    expect(own!.every((each) => each === 0)).toBe(true)
    expect([...kept]).toEqual(copy)
  })

  it('does not take gradients that somebody put there for its own', () => {
    const parameters = parametersOfSizes(Float64Array, { apart: false })
    const optimizer = sgd({ learningRate: 1 }).bind(parameters)
    const shared = new Float64Array(200)
    const p3 = parameters.get('p3')!
    const before = [...p3.array]
    for (const [round, at] of [10, 40].entries()) {
      backward(parameters, { seed: round })
      // Two views of one buffer, one after the other.
      p3.grad = shared.subarray(at, at + 17).fill(round + 1)
      optimizer.step()
    }
    expect([...p3.array]).toEqual(before.map((w) => w - 1 - 2))
  })

  it('updates a parameter under two names twice, and one of two optimizers by each', () => {
    const results = [true, false].map((apart) => {
      const parameters = parametersOfSizes(Float32Array, { apart })
      parameters.set('again', parameters.get('p1')!)
      const part = new Map([...parameters].filter(([name]) => name !== 'p3'))
      const optimizers = [adam({ learningRate: 0.1 }).bind(parameters), sgd({ momentum: 0.9 }).bind(part)]
      for (const seed of [1, 2]) {
        backward(parameters, { seed })
        for (const optimizer of optimizers) optimizer.step()
        optimizers[1].zeroGrad()
      }
      const left = parameters.get('p3')!.grad!.slice()
      return { left: bits(left), all: optimizers.map((each) => everything(each, parameters)) }
    })
    expect(results[1]).toEqual(results[0])
    expect(new Float32Array(Buffer.from(results[1].left, 'base64')).some((each) => each !== 0)).toBe(true)
  })

  it('serves a later optimizer over the same parameters as well', () => {
    const parameters = parametersOfSizes(Float32Array, { apart: false })
    adam().bind(parameters)
    const arrays = Array.from(parameters.values(), arrayOf)
    const optimizer = sgd().bind(parameters)
    for (const [n, parameter] of [...parameters.values()].entries()) expect(parameter.array).toBe(arrays[n])
    const calls = vi.spyOn(kernelsFor(arrays[0]), 'sgdStep')
    backward(parameters, { seed: 1 })
    optimizer.step()
    expect(calls).toHaveBeenCalledTimes(1)
  })

  it('holds parameters of both types', () => {
    const results = [true, false].map((apart) => {
      const singles = parametersOfSizes(Float32Array, { apart, lengths: [3, 5] })
      const doubles = parametersOfSizes(Float64Array, { apart, lengths: [3, 5] })
      const parameters = new Map([
        ...singles,
        ...[...doubles].map(([name, each]) => [`d${name}`, each] as const),
      ])
      const optimizer = adamW().bind(parameters)
      backward(parameters, { seed: 1 })
      optimizer.step(clipByNorm(parameters, { maximum: 0.1 }))
      return everything(optimizer, parameters)
    })
    expect(results[1]).toEqual(results[0])
  })
})

describe('a model whose parameters moved', () => {
  const data = { dataType: 'float32' as const }
  const cases: [string, typeof tagger, boolean, Partial<FitOptions>][] = [
    [
      'clipping, accumulation and early stopping',
      regressor,
      false,
      { clipNorm: 0.3, accumulate: 2, earlyStopping: { patience: 1 } },
    ],
    ['windows and clipping by value', tagger, true, { truncate: 2, clipValue: 0.01 }],
  ]

  it.each(
    cases,
  )('trains, stops, is saved and frozen as one whose parameters stayed: %s', async (name, make, perStep, options) => {
    const results = await Promise.all(
      [true, false].map(async (apart) => {
        const model = make(data)
        if (apart) for (const parameter of parametersOf(model).values()) parameter.share()
        const path = join(folder, `${name} ${apart}.safetensors`)
        const train = sequences(20, { ...data, perStep })
        const settings = {
          loss: meanSquaredError,
          batchSize: 8,
          epochs: 3,
          seed: 1,
          checkpoint: { path },
          ...options,
        }
        const epochs = await all(fit(model, train, settings))
        const isMoved = [...parametersOf(model).values()].every(({ home }) => home)
        expect(isMoved).toBe(!apart)
        const { x } = sequences(3, data).batch([0, 1, 2])
        const saved = join(folder, `model ${apart}.safetensors`)
        await save(model, saved)
        return {
          weights: weightsOf(model),
          losses: epochs.map(({ loss }) => loss),
          checkpoint: readFileSync(path),
          model: readFileSync(saved),
          prediction: [...compile(model).predictSync(x).data],
        }
      }),
    )
    expect(results[1]).toEqual(results[0])
  })
})
