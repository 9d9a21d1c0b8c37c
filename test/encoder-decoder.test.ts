/** EncoderDecoder: gradients, both ways to read, training by `fit` on pairs, files. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { load, save } from '../lib/formats/checkpoint.ts'
import { describeLayer } from '../lib/formats/inspect/layers.ts'
import { Attention } from '../lib/layers/attention.ts'
import { EncoderDecoder, type EncoderDecoderOptions } from '../lib/layers/encoder-decoder.ts'
import { parametersOf, setTraining } from '../lib/layers/layer.ts'
import { MultiHeadAttention } from '../lib/layers/multi-head-attention.ts'
import { layerFromConfig } from '../lib/layers/registry.ts'
import { crossEntropy } from '../lib/operations/losses.ts'
import { Random } from '../lib/random.ts'
import { noGrad } from '../lib/tape.ts'
import { tensor } from '../lib/tensor.ts'
import { evaluate } from '../lib/training/evaluate.ts'
import { fit } from '../lib/training/fit.ts'
import { adam } from '../lib/training/optimizers.ts'
import { parallelText } from '../lib/training/parallel-text.ts'
import { expectGradients } from './support/finite-differences.ts'

const folder = mkdtempSync(join(tmpdir(), 'encoder-decoder-'))
afterAll(() => rmSync(folder, { recursive: true }))

const small: EncoderDecoderOptions = {
  sourceVocabulary: 7,
  targetVocabulary: 6,
  start: 1,
  end: 2,
  embeddingSize: 4,
  hiddenSize: 5,
  seed: 3,
}
const x = tensor(Int32Array.of(3, 4, 5, 6, 3, 0), { shape: [2, 3] })
const target = tensor(Int32Array.of(3, 4, 2, 5, 2, 0), { shape: [2, 3] })
const lengths = Int32Array.of(3, 2)

it('has the numbers of PyTorch, and its gradients', () => {
  const file = new URL('fixtures/attention/encoder-decoder.json', import.meta.url)
  const known = JSON.parse(readFileSync(file, 'utf8'))
  const model = new EncoderDecoder(known.options)
  const parameters = parametersOf(model)
  expect([...parameters.keys()].sort()).toEqual(Object.keys(known.parameters).sort())
  for (const [name, each] of parameters) each.write(Float32Array.from(known.parameters[name].value))
  const ids = (list: number[]) => tensor(Int32Array.from(list), { shape: [3, list.length / 3] })
  const given = { lengths: Int32Array.from(known.lengths), target: ids(known.target) }
  const logits = model.forward(ids(known.source), given)
  // Sums of some ten float32 terms, through a few steps, on either side.
  const expectClose = (name: string, actual: ArrayLike<number>, expected: number[]) => {
    const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(actual[i] - value)), 0)
    expect(error, name).toBeLessThan(4e-6)
    expect(actual.length, name).toBe(expected.length)
  }
  expectClose('logits', logits.data, known.logits)
  expectClose('weights', model.align(ids(known.source), given).data, known.weights)
  logits.backward(Float32Array.from(known.upstream))
  for (const [name, each] of parameters) expectClose(name, each.grad!, known.parameters[name].gradient)
})

describe('an EncoderDecoder', () => {
  it.each<[string, Partial<EncoderDecoderOptions>]>([
    ['with input feeding', {}],
    ['with tied weights and additive scores', { tieWeights: true, score: 'additive' }],
    ['without input feeding, of two layers', { inputFeeding: false, numLayers: 2, encoderSize: 2 }],
    ['with dropout', { dropout: 0.3 }],
  ])('%s differentiates and comes back from its configuration', (_, options) => {
    const model = new EncoderDecoder({ ...small, ...options, dataType: 'float64' })
    setTraining(model, true)
    expectGradients(Object.fromEntries(parametersOf(model)), () => model.forward(x, { lengths, target }))
    setTraining(model, false)
    const again = layerFromConfig(JSON.parse(JSON.stringify(model.config()))) as EncoderDecoder
    expect(again.forward(x, { target }).toArray()).toEqual(model.forward(x, { target }).toArray())
  })

  it('reads nothing of what is to come, and nothing of padding', () => {
    const model = new EncoderDecoder(small)
    const logits = noGrad(() => model.forward(x, { lengths, target }))
    expect(logits.shape).toEqual([2, 3, 6])
    const other = tensor(Int32Array.of(3, 4, 5, 5, 3, 4), { shape: [2, 3] })
    const padded = tensor(Int32Array.of(3, 4, 5, 6, 3, 6), { shape: [2, 3] })
    const again = noGrad(() => model.forward(padded, { lengths, target: other }))
    const V = 6
    // Up to step 2 and 1: these see targets 3 4 and 5 only.
    expect(again.data.slice(0, 3 * V)).toEqual(logits.data.slice(0, 3 * V))
    expect(again.data.slice(3 * V, 5 * V)).toEqual(logits.data.slice(3 * V, 5 * V))
    expect(again.data.slice(5 * V)).not.toEqual(logits.data.slice(5 * V))
  })

  it('looks at the tokens that a source has: the weights of each step sum up to 1', () => {
    const weights = new EncoderDecoder(small).align(x, { lengths, target })
    expect(weights.shape).toEqual([2, 3, 3])
    const rows = Array.from({ length: 6 }, (_, row) => [...weights.data.slice(3 * row, 3 * row + 3)])
    for (const row of rows) expect(row[0] + row[1] + row[2]).toBeCloseTo(1, 6)
    expect(rows.slice(3).map((row) => row[2])).toEqual([0, 0, 0])
  })

  it('ties the output to the embedding, which has one parameter and both gradients', () => {
    const model = new EncoderDecoder({ ...small, tieWeights: true })
    const names = [...parametersOf(model).keys()]
    expect(names.filter((name) => /embedding|output/.test(name))).toEqual([
      'decoder.embedding.weight',
      'decoder.output.bias',
    ])
    expect(() => new EncoderDecoder({ ...small, tieWeights: true, attentionalSize: 3 })).toThrow(
      'expected an attentionalSize of 4',
    )
  })

  it('is told by `lstm inspect` in a line, as attention is', () => {
    expect(describeLayer(new EncoderDecoder({ ...small, numLayers: 2 }).config())).toBe(
      'EncoderDecoder 7 → 6, 4 → 5, encoderSize: 3, start: 1, end: 2, 2 layers, attentionalSize: 5',
    )
    expect(describeLayer(new Attention({ score: 'additive', querySize: 3, size: 2 }).config())).toBe(
      'Attention additive, 3, memorySize: 3, size: 2',
    )
    expect(describeLayer(new MultiHeadAttention({ embedSize: 4, heads: 2, causal: true }).config())).toBe(
      'MultiHeadAttention 4, 2 heads, causal: true',
    )
  })

  it('refuses what does not fit', () => {
    expect(() => new EncoderDecoder({ ...small, start: 6 })).toThrow('expected start in [0, 6), got 6')
    expect(() => new EncoderDecoder({ ...small, hidden: 3 } as never)).toThrow('unknown option "hidden"')
    const model = new EncoderDecoder(small)
    expect(() => model.forward(x)).toThrow('expected target to be a Tensor')
    expect(() => model.forward(x, { target: tensor([[1, 2]]) })).toThrow('int32 target of shape [2, T]')
  })
})

describe('pairs', () => {
  it('make batches padded to their longest, of similar length', () => {
    const pairs = parallelText({
      source: [[3, 4], [5]],
      target: [
        [3, 2],
        [4, 5, 2],
      ],
    })
    const { x, y, lengths, targetLengths } = pairs.batch([0, 1])
    expect(x.toArray()).toEqual([
      [3, 4],
      [5, 0],
    ])
    expect(y.toArray()).toEqual([
      [3, 2, 0],
      [4, 5, 2],
    ])
    expect([lengths, targetLengths]).toEqual([Int32Array.of(2, 1), Int32Array.of(2, 3)])
    expect(pairs.lengthOf!(0)).toBeLessThan(pairs.lengthOf!(1))
  })

  it('that cannot be learned from are refused', () => {
    expect(() => parallelText({ source: [[1]], target: [] })).toThrow('1 sources and 0 targets')
    expect(() => parallelText({ source: [], target: [] })).toThrow('at least one pair')
    expect(() => parallelText({ source: [[1], []], target: [[1], [2]] })).toThrow('source 1 is empty')
    expect(() => parallelText({ source: [[1], [2]], target: [[1], [-1]] })).toThrow('at 0 of target 1')
    expect(() => parallelText({ source: [['a']] as never, target: [[1]] })).toThrow('got "a"')
  })
})

/** Sources of 2 to 5 letters; the target has them in reverse. */
function reversal(size: number, seed: number) {
  const random = new Random(seed)
  const source = Array.from({ length: size }, () =>
    Array.from({ length: 2 + random.integer(4) }, () => 3 + random.integer(4)),
  )
  return parallelText({ source, target: source.map((tokens) => [...tokens.toReversed(), 2]) })
}

describe('fit', () => {
  const options = { ...small, targetVocabulary: 7, embeddingSize: 16, hiddenSize: 32 }

  it('teaches it to reverse what it reads, and files keep what it has learned', {
    timeout: 60_000,
  }, async () => {
    const model = new EncoderDecoder({ ...options, tieWeights: true })
    const test = reversal(100, 9)
    const before = await evaluate(model, test, { loss: crossEntropy })
    const training = fit(model, reversal(600, 1), {
      loss: crossEntropy,
      epochs: 20,
      optimizer: adam({ learningRate: 1e-2 }),
      clipNorm: 5,
      seed: 1,
    })
    for await (const _ of training);
    const { loss } = await evaluate(model, test, { loss: crossEntropy })
    expect(before.loss).toBeGreaterThan(1)
    expect(loss).toBeLessThan(0.1)

    const path = join(folder, 'model.safetensors')
    await save(model, path)
    const again = (await load(path)) as EncoderDecoder
    expect(again).toBeInstanceOf(EncoderDecoder)
    expect((await evaluate(again, test, { loss: crossEntropy })).loss).toBe(loss)
  })

  it('counts the tokens of the targets, not those of the sources', async () => {
    const model = new EncoderDecoder(options)
    const pairs = parallelText({
      source: [[3, 4, 5], [3]],
      target: [
        [3, 2],
        [4, 5, 2],
      ],
    })
    const { x, y, lengths, targetLengths } = pairs.batch([0, 1])
    const { loss } = await evaluate(model, [{ x, y, lengths, targetLengths }], { loss: crossEntropy })
    const logits = noGrad(() => model.forward(x, { lengths, target: y }))
    const ignored = tensor(Int32Array.of(3, 2, -100, 4, 5, 2), { shape: [2, 3] })
    expect(loss).toBeCloseTo(crossEntropy(logits, ignored).item(), 6)
  })

  it('refuses to cut pairs into windows', async () => {
    const run = fit(new EncoderDecoder(options), reversal(4, 1), {
      loss: crossEntropy,
      epochs: 1,
      truncate: 2,
    })
    await expect(run.next()).rejects.toThrow('targets for each step')
  })
})
