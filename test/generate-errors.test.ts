/** What generation refuses, and what ends it. */
import {
  Batcher,
  compile,
  type Embedding,
  type GenerateOptions,
  generate,
  type Linear,
  LSTM,
  type Plan,
  Sequential,
  useBackend,
} from 'lstm-native'
import { beforeEach, describe, expect, it } from 'vitest'
import { languageModel, languagePlan } from './support/language-model.ts'
import { all } from './support/small-model.ts'

beforeEach(() => {
  useBackend('native')
})

describe('generate refuses', () => {
  const good: GenerateOptions = { prompt: [1], maxLength: 3 }
  const encode = () => [1, 2, 3]

  it.each<[string, Partial<GenerateOptions> | Record<string, unknown>, string]>([
    ['no prompt', { prompt: undefined }, 'expected a prompt of at least one token, or start'],
    ['an empty prompt', { prompt: [] }, 'expected a prompt of at least one token, or start'],
    ['a prompt that is none', { prompt: 3 }, 'expected prompt to be an array of tokens, got 3'],
    ['a token beyond the vocabulary', { prompt: [1, 4] }, 'expected indices of prompt in [0, 4), got 4'],
    ['half a token', { prompt: [0.5] }, 'expected indices of prompt in [0, 4), got 0.5'],
    ['a start beyond it', { start: -1 }, 'expected indices of start in [0, 4), got -1'],
    ['no length', { maxLength: undefined }, 'expected maxLength to be a positive integer, got undefined'],
    ['a stop beyond the vocabulary', { stop: 4 }, 'expected tokens of stop in [0, 4), got 4'],
    ['a stop in a row beyond it', { stop: [[1, 7]] }, 'expected tokens of stop in [0, 4), got 7'],
    [
      'a stop of nothing',
      { stop: [[]] },
      'expected stop to be tokens, arrays of at least one token, or functions',
    ],
    ['a negative temperature', { temperature: -1 }, 'expected temperature in [0, Infinity], got -1'],
    ['topK of 0', { topK: 0 }, 'expected topK to be a positive integer, got 0'],
    ['topP of 0', { topP: 0 }, 'expected topP in (0, 1], got 0'],
    ['topP above 1', { topP: 1.5 }, 'expected topP in (0, 1], got 1.5'],
    ['half a seed', { seed: 0.5 }, 'expected seed to be an integer, got 0.5'],
    ['no beams', { beams: 0 }, 'expected beams to be a positive integer, got 0'],
    ['beams that are drawn', { beams: 2, topK: 3 }, 'topK is for sampling'],
    [
      'a negative penalty',
      { beams: 2, lengthPenalty: -1 },
      'expected lengthPenalty in [0, Infinity], got -1',
    ],
    ['a penalty without beams', { lengthPenalty: 1 }, 'lengthPenalty ranks beams; give beams'],
    ['what is no signal', { signal: 3 }, 'expected signal to be an AbortSignal, got 3'],
    [
      'an encoder of indices',
      { encode },
      'the model begins with an Embedding, which takes tokens; leave encode out',
    ],
    [
      'outputs of no kind',
      { outputs: 'odds' },
      'expected outputs to be "logits" or "probabilities", got "odds"',
    ],
    ['a misspelt option', { maxLenght: 3 }, 'unknown option "maxLenght"; did you mean "maxLength"?'],
  ])('%s', (_, options, message) => {
    const wrong = { ...good, ...options } as GenerateOptions
    expect(() => generate(languagePlan(), wrong)).toThrow(message)
  })

  it('what is no model of tokens', () => {
    const lstm = (options = {}) => new LSTM({ inputSize: 3, hiddenSize: 4, ...options })
    const of = (layers: Sequential['layers']) => compile(new Sequential(layers))
    const [embedding] = languageModel({ vocabulary: 3 }).layers
    const wide = of([embedding, lstm()])
    expect(() => generate({} as Plan, good)).toThrow('expected a plan or a Batcher, got Object')
    expect(() => generate(of([lstm()]), good)).toThrow(
      'expected a model that begins with an Embedding, or encode',
    )
    expect(() => generate(wide, good)).toThrow(
      'at most as many outputs as the Embedding has tokens, 3, got 4',
    )
    expect(() => generate(of([lstm({ bidirectional: true })]), { ...good, encode })).toThrow('bidirectional')
    const softmax = languagePlan({ ending: 'softmax' })
    expect(() => generate(softmax, { ...good, outputs: 'logits' })).toThrow('probabilities, not logits')
    expect(() => generate(of([lstm()]), { ...good, encode: 3 as never })).toThrow(
      'expected encode to be a function',
    )
  })
})

describe('a model that fails', () => {
  /** After token 1 comes token 2, of which the vector is `value`. */
  function failing(value: number): Plan {
    const model = languageModel()
    const [embedding, , head] = model.layers as [Embedding, LSTM, Linear]
    embedding.weight.data.fill(value, 6, 9)
    head.bias!.data.fill(100, 2, 3)
    return compile(model)
  }

  it.each([{}, { seed: 1 }, { beams: 3 }])('says at which step its output is NaN: %o', async (options) => {
    const batcher = new Batcher(failing(Number.NaN))
    const generation = generate(batcher, { prompt: [1], maxLength: 5, ...options })
    const error = {
      name: 'NonFiniteOutputError',
      code: 'NON_FINITE_OUTPUT',
      step: 1,
      token: 0,
      value: Number.NaN,
    }
    await expect(generation.result()).rejects.toMatchObject(error)
    await expect(all(generation)).rejects.toThrow("the model's output for token 0 is NaN at step 1")
    expect(batcher.statistics.streams).toBe(0)
  })

  it('says so of probabilities that are none', async () => {
    const model = languageModel()
    const first = async () =>
      generate(compile(model), { prompt: [1], maxLength: 5, outputs: 'probabilities' }).result()
    await expect(first()).rejects.toThrow(
      /expected probabilities, of sum 1, got -.* at step 0; leave outputs out/,
    )
    const [, , head] = model.layers as [Embedding, LSTM, Linear]
    head.bias!.data.fill(100)
    await expect(first()).rejects.toThrow(/got a sum of \d+.* at step 0/)
  })

  it('is told from a token that cannot come', async () => {
    const model = languageModel()
    const head = model.layers[2] as Linear
    head.bias!.data.fill(Number.NEGATIVE_INFINITY, 0, 3)
    const result = await generate(compile(model), { prompt: [1], maxLength: 4, seed: 1 }).result()
    expect(result).toMatchObject({ tokens: [3, 3, 3, 3], logProbability: 0 })
    const beams = await generate(compile(model), { prompt: [1], maxLength: 4, beams: 3 }).results()
    expect(beams.map(({ tokens }) => tokens)).toEqual([[3, 3, 3, 3]])
    head.bias!.data.fill(Number.NEGATIVE_INFINITY)
    await expect(generate(compile(model), { prompt: [1], maxLength: 4 }).result()).rejects.toMatchObject({
      step: 0,
      value: Number.NEGATIVE_INFINITY,
    })
  })
})

describe.each([{}, { beams: 3 }])('streams are given back, with %o', (options) => {
  const begin = (signal?: AbortSignal) => {
    const batcher = new Batcher(languagePlan())
    return { batcher, generation: generate(batcher, { prompt: [1, 2], maxLength: 500, signal, ...options }) }
  }
  const rest = async (batcher: Batcher) => {
    while (batcher.statistics.running > 0) await new Promise((resolve) => setImmediate(resolve))
    return batcher.statistics.streams
  }

  it('at the end', async () => {
    const { batcher, generation } = begin()
    expect(batcher.statistics.streams).toBe(0)
    expect((await generation.result()).tokens).toHaveLength(500)
    expect(batcher.statistics.streams).toBe(0)
  })

  it('when a loop is left', async () => {
    const { batcher, generation } = begin()
    let count = 0
    for await (const _ of generation) if (++count === 3) break
    expect(await rest(batcher)).toBe(0)
    const { tokens, stopped } = await generation.result()
    expect([tokens.length, stopped]).toEqual('beams' in options ? [500, 'length'] : [3, 'aborted'])
  })

  it('when a signal says so, between two steps or in one', async () => {
    for (const turns of [0, 1, 7, 30]) {
      const controller = new AbortController()
      const { batcher, generation } = begin(controller.signal)
      const iterated = all(generation)
      const result = generation.result()
      for (let n = 0; n < turns; n++) await new Promise((resolve) => setImmediate(resolve))
      if (turns > 0) expect(batcher.statistics.streams).toBeGreaterThan(0)
      controller.abort(new Error('enough'))
      await expect(iterated).rejects.toThrow('enough')
      const { tokens, stopped } = await result
      expect(stopped).toBe('aborted')
      expect(tokens.length).toBeLessThan(500)
      expect(await rest(batcher)).toBe(0)
    }
  })

  it('before it begins', async () => {
    const { batcher, generation } = begin(AbortSignal.abort(new Error('never')))
    expect(await generation.result()).toEqual({ tokens: [], logProbability: 0, score: 0, stopped: 'aborted' })
    await expect(all(generation)).rejects.toThrow('never')
    expect(batcher.statistics.streams).toBe(0)
  })
})
