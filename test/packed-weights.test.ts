/**
 * Weights are kept packed between calls for as long as nobody writes into them. Every way to write is tried here: what a
 * call is given must be what packing the weights at that moment gives, and results must have the bits of a model
 * whose memory was handed out, for which nothing is kept.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  adam,
  adamW,
  backend,
  compile,
  type Epoch,
  evaluate,
  fit,
  LSTM,
  LSTMCell,
  type LSTMState,
  lastStep,
  load,
  type Model,
  meanSquaredError,
  type OptimizerFactory,
  Parameter,
  parametersOf,
  Random,
  recycle,
  rmsprop,
  Sequential,
  save,
  sgd,
  sum,
  type Tensor,
  tensor,
  useBackend,
} from 'lstm-native'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FloatArray, LstmForward, LstmPass } from '../lib/kernels/contract.ts'
import { kernelsFor } from '../lib/kernels/index.ts'
import { all, sequences, tagger } from './support/small-model.ts'

useBackend('native')
const { available } = backend()
const folder = mkdtempSync(join(tmpdir(), 'lstm-native-packed-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Calls of the kernels, and of those the ones that were given packed weights. */
let calls: Record<LstmPass, { all: number; packed: number }>

/** Counts the calls, and refuses packed weights that are not what the parameters hold. */
beforeEach(() => {
  useBackend('native')
  calls = {
    forward: { all: 0, packed: 0 },
    backward: { all: 0, packed: 0 },
    backwardToInput: { all: 0, packed: 0 },
  }
  const kernels = kernelsFor(new Float32Array(0))
  const { lstmForward, lstmBackward, lstmPack } = kernels
  const check = (pass: LstmPass, call: Omit<LstmForward, 'hn' | 'cn'>) => {
    calls[pass].all++
    if (!call.packed) return
    calls[pass].packed++
    const { I, H, P, layerNorm, parameters } = call
    const fresh = lstmPack(pass, { I, H, P, layerNorm, parameters })!
    if (!bytesOf(call.packed).equals(bytesOf(fresh)))
      throw new Error(`${pass}: packed weights are out of date`)
  }
  vi.spyOn(kernels, 'lstmForward').mockImplementation((directions) => {
    for (const each of directions) check('forward', each)
    lstmForward(directions)
  })
  vi.spyOn(kernels, 'lstmBackward').mockImplementation((directions) => {
    for (const each of directions) check(each.dx ? 'backwardToInput' : 'backward', each)
    lstmBackward(directions)
  })
})
afterEach(() => vi.restoreAllMocks())

function bytesOf({ buffer, byteOffset, byteLength }: FloatArray): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

function numbers(length: number, seed: number): Float32Array {
  const random = new Random(seed)
  return Float32Array.from({ length }, () => random.normal())
}

const [B, I, H] = [5, 7, 18]

type Variant = { name: string; make: () => Model & { forward: LSTM['forward'] | LSTMCell['forward'] } }

const variants: Variant[] = [
  { name: 'a cell', make: () => new LSTMCell({ inputSize: I, hiddenSize: H, seed: 1 }) },
  {
    name: 'a cell with every option',
    make: () =>
      new LSTMCell({
        inputSize: I,
        hiddenSize: H,
        projectionSize: 9,
        peepholes: true,
        layerNorm: true,
        zoneoutCell: 0.1,
        zoneoutHidden: 0.2,
        seed: 1,
      }),
  },
  {
    name: 'two layers and directions',
    make: () => new LSTM({ inputSize: I, hiddenSize: H, numLayers: 2, bidirectional: true, seed: 1 }),
  },
]

/** Steps over windows of one step with the state carried on, and back; returns every number that comes out. */
function loop(model: Model, { steps = 4, seed = 3, between = () => {} } = {}): number[] {
  const isCell = model instanceof LSTMCell
  const found: number[] = []
  recycle(() => {
    let state: LSTMState | null = null
    let output!: Tensor
    for (let t = 0; t < steps; t++) {
      const x = tensor(numbers(B * I, seed + t), { shape: isCell ? [B, I] : [B, 1, I] })
      const result = model.forward(x, { state }) as { output: Tensor; state: LSTMState }
      ;({ output, state } = result)
      found.push(...(output.toArray() as number[][]).flat(2))
    }
    between()
    for (const [, parameter] of parametersOf(model)) parameter.zeroGrad()
    sum(output).backward()
  })
  for (const [, { grad }] of parametersOf(model)) if (grad) found.push(...grad)
  return found
}

/** What a model gives from which nothing is kept, since its memory was handed out. */
function handedOut<M extends Model>(model: M): M {
  for (const [, parameter] of parametersOf(model)) expect(parameter.data).toBeDefined()
  return model
}

/** Warms both up, changes both, and compares what they give then; the first must have used what it kept. */
function expectTheSame(make: () => Model, change: (model: Model) => void): void {
  const [model, control] = [make(), handedOut(make())]
  for (const each of [model, control]) {
    loop(each)
    loop(each)
  }
  expect(calls.forward.packed).toBeGreaterThan(0)
  expect(calls.backward.packed + calls.backwardToInput.packed).toBeGreaterThan(0)
  const before = loop(model)
  expect(before).toEqual(loop(control))
  change(model)
  change(control)
  const after = loop(model)
  expect(after).toEqual(loop(control))
  expect(after).not.toEqual(before)
}

/** weight_hh of the first direction. */
const first = (model: Model) => [...parametersOf(model).values()][1]

describe.each(variants)('$name', ({ make }) => {
  it('keeps its weights packed and gives the same bits at every call', () => {
    const model = make()
    const control = handedOut(make())
    for (let i = 0; i < 3; i++) expect(loop(model)).toEqual(loop(control))
    const { packed, all } = calls.forward
    // Half the calls are the control's. Of the others the first of each direction packs for itself.
    const directions = model instanceof LSTMCell ? 1 : 4
    expect(packed).toBe(all / 2 - directions)
  })

  it('follows every optimizer', () => {
    const factories: OptimizerFactory[] = [
      sgd({ learningRate: 0.1 }),
      sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
      rmsprop(),
      adam({ learningRate: 0.1 }),
      adamW({ learningRate: 0.1 }),
    ]
    for (const factory of factories) {
      const bound = new Map<Model, ReturnType<OptimizerFactory['bind']>>()
      expectTheSame(make, (model) => {
        const optimizer = bound.get(model) ?? factory.bind(parametersOf(model))
        bound.set(model, optimizer)
        optimizer.step()
      })
    }
  })

  it('follows an update between forward and backward', () => {
    expectTheSame(make, (model) => {
      const optimizer = sgd({ learningRate: 0.1 }).bind(parametersOf(model))
      loop(model, { between: () => optimizer.step() })
    })
  })

  it('follows what is written through .data, between calls and later', () => {
    expectTheSame(make, (model) => void (first(model).data[3] += 0.5))
    expectTheSame(make, (model) => {
      const { data } = first(model)
      loop(model)
      loop(model)
      data[3] += 0.5
    })
    expectTheSame(make, (model) => void (first(model).detach().data[3] += 0.5))
  })

  it('follows what is written between forward and backward', () => {
    expectTheSame(make, (model) => {
      loop(model, { between: () => void (first(model).data[3] += 0.5) })
    })
  })

  it('follows a file loaded into it', async () => {
    const path = join(folder, 'model.safetensors')
    const other = make()
    loop(other)
    adam({ learningRate: 0.1 }).bind(parametersOf(other)).step()
    await save(other, path)
    const [model, fresh] = [make(), make()]
    for (let i = 0; i < 3; i++) loop(model)
    await load(path, { into: model })
    await load(path, { into: fresh })
    expect(loop(model)).toEqual(loop(handedOut(fresh)))
    expect(calls.forward.packed).toBeGreaterThan(0)
  })
})

describe('fit', () => {
  const dataType = 'float32'
  const data = () => sequences(6, { dataType, perStep: true })
  const options = {
    loss: meanSquaredError,
    optimizer: adam({ learningRate: 0.05 }),
    batchSize: 2,
    validation: data(),
    // Several calls for one update: these are what packing is kept for.
    truncate: 1,
    accumulate: 3,
    seed: 4,
  }
  const evaluated = async (model: Model) => [
    (await evaluate(model, data(), { loss: meanSquaredError })).loss,
    ...Array.from(parametersOf(model).values(), (parameter) => parameter.toArray()),
  ]

  it('puts the best weights back', async () => {
    // The first epoch counts as the best.
    const earlyStopping = { patience: 3, monitor: ({ number }: Epoch) => number }
    const [model, control] = [tagger({ dataType }), handedOut(tagger({ dataType }))]
    for (const each of [model, control])
      await all(fit(each, data(), { ...options, epochs: 9, earlyStopping }))
    expect(await evaluated(model)).toEqual(await evaluated(control))
    expect(calls.forward.packed).toBeGreaterThan(calls.forward.all / 4)
    expect(calls.backward.packed).toBeGreaterThan(calls.backward.all / 4)
  })

  it('resumes in a model that is in use', async () => {
    const path = join(folder, 'checkpoint.safetensors')
    await all(fit(tagger({ dataType }), data(), { ...options, epochs: 2, checkpoint: { path } }))
    const [model, control] = [tagger({ dataType }), handedOut(tagger({ dataType }))]
    for (const each of [model, control]) {
      await evaluated(each)
      await all(fit(each, data(), { ...options, epochs: 3, resume: path }))
    }
    expect(await evaluated(model)).toEqual(await evaluated(control))
    expect(calls.forward.packed).toBeGreaterThan(0)
  })
})

describe('weights', () => {
  const cell = (seed: number) => new LSTMCell({ inputSize: I, hiddenSize: H, seed })

  it('that two layers share change for both', () => {
    const pair = () => {
      const [a, b] = [cell(1), cell(2)]
      b.weights.weightHh = a.weights.weightHh
      return [a, b]
    }
    const [models, controls] = [pair(), pair()]
    for (const each of controls) handedOut(each)
    for (let round = 0; round < 3; round++) {
      for (const k of [0, 1, 0]) expect(loop(models[k])).toEqual(loop(controls[k]))
      for (const [a] of [models, controls]) sgd({ learningRate: 0.1 }).bind(parametersOf(a)).step()
    }
    expect(calls.forward.packed).toBeGreaterThan(0)
  })

  it('may be exchanged for others', () => {
    const [older, model, younger] = [cell(1), cell(2), cell(3)]
    for (const { weights } of [older, younger]) {
      const control = handedOut(cell(2))
      for (const each of [model, control]) {
        loop(each)
        each.weights.weightHh = weights.weightHh
      }
      expect(loop(model)).toEqual(loop(control))
    }
    expect(calls.forward.packed).toBeGreaterThan(4)
  })

  it('may change after any number of calls', () => {
    const [model, control] = [cell(1), handedOut(cell(1))]
    const optimizers = [model, control].map((each) => sgd({ learningRate: 0.1 }).bind(parametersOf(each)))
    const random = new Random(8)
    for (let update = 0; update < 40; update++) {
      for (let i = random.integer(4); i >= 0; i--)
        expect(loop(model, { steps: 1 })).toEqual(loop(control, { steps: 1 }))
      for (const each of optimizers) each.step()
    }
    expect(calls.forward.packed).toBeGreaterThan(20)
  })

  it('are not kept half packed', () => {
    const [model, control] = [cell(1), handedOut(cell(1))]
    for (const each of [model, control]) {
      loop(each)
      sgd({ learningRate: 0.1 }).bind(parametersOf(each)).step()
    }
    vi.spyOn(kernelsFor(new Float32Array(0)), 'lstmPack').mockImplementationOnce((_, { packed }) => {
      packed!.fill(7)
      throw new Error('halfway')
    })
    expect(() => loop(model)).toThrow('halfway')
    expect(loop(model)).toEqual(loop(control))
  })

  it('in an array that somebody brought may change at any time', () => {
    const array = numbers(4 * H * H, 5)
    const model = cell(1)
    model.weights.weightHh = new Parameter([4 * H, H], array)
    loop(model)
    const before = loop(model, { steps: 2 })
    array[7] += 1
    expect(loop(model, { steps: 2 })).not.toEqual(before)
    // An optimizer's update says nothing about who else writes.
    sgd({ learningRate: 0.1 }).bind(parametersOf(model)).step()
    loop(model)
    expect(calls.forward).toEqual({ all: 12, packed: 0 })
  })

  it('may be where a plan writes its output', () => {
    const plan = compile(new Sequential([new LSTM({ inputSize: 2, hiddenSize: H, seed: 3 }), lastStep()]))
    expectTheSame(
      () => cell(1),
      (model) => {
        const x = tensor(numbers(4 * H * 2, 6), { shape: [4 * H, 1, 2] })
        plan.predictSync(x, { output: (model as LSTMCell).weights.weightHh })
      },
    )
  })

  it('are packed anew for another target', () => {
    const model = cell(1)
    const results = [...available, ...available].map((target) => {
      useBackend(target)
      loop(model)
      return loop(model)
    })
    const control = handedOut(cell(1))
    const expected = [...available, ...available].map((target) => {
      useBackend(target)
      loop(control)
      return loop(control)
    })
    expect(results).toEqual(expected)
    expect(calls.forward.packed).toBeGreaterThan(0)
  })

  it('are not kept where each call meets new ones, as in training on whole windows', () => {
    const model = new LSTM({ inputSize: I, hiddenSize: H, seed: 1 })
    const optimizer = adam().bind(parametersOf(model))
    for (let step = 0; step < 5; step++) {
      sum(model.forward(tensor(numbers(B * 9 * I, step), { shape: [B, 9, I] })).output).backward()
      optimizer.step()
    }
    expect(calls.forward).toEqual({ all: 5, packed: 0 })
    expect(calls.backward).toEqual({ all: 5, packed: 0 })
  })

  it('are packed once for each pass and update', () => {
    const model = cell(1)
    const optimizer = sgd({ learningRate: 0.1 }).bind(parametersOf(model))
    const pack = vi.spyOn(kernelsFor(new Float32Array(0)), 'lstmPack')
    for (let step = 0; step < 3; step++) {
      pack.mockClear()
      loop(model)
      expect(pack.mock.calls.map(([pass]) => pass)).toEqual(['forward', 'backward'])
      optimizer.step()
    }
    // The first call could not know that it would not be the only one.
    expect(calls.forward).toEqual({ all: 12, packed: 11 })
    expect(calls.backward).toEqual({ all: 12, packed: 11 })
  })
})
