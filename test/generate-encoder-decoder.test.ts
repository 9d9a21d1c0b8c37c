/** `generate` with an EncoderDecoder: the decoder that plans have, steps of many in one batch. */
import { describe, expect, it, vi } from 'vitest'
import { type GenerateOptions, generate } from '../lib/inference/generate.ts'
import { EncoderDecoder } from '../lib/layers/encoder-decoder.ts'
import { noGrad } from '../lib/tape.ts'
import { tensor } from '../lib/tensor.ts'

const [start, end, V] = [1, 2, 6]
const make = (options = {}) =>
  new EncoderDecoder({
    ...{ sourceVocabulary: 7, targetVocabulary: V, start, end, embeddingSize: 8, hiddenSize: 9, seed: 4 },
    ...options,
  })
const sources = [[3, 4, 5], [6], [4, 4, 3, 5, 6]]

/** log p of all next tokens after `target`, by `forward`. */
function next(model: EncoderDecoder, source: number[], target: readonly number[]): number[] {
  const x = tensor(Int32Array.from(source), { shape: [1, source.length] })
  const y = tensor(Int32Array.from([...target, 0]), { shape: [1, target.length + 1] })
  const logits = [...noGrad(() => model.forward(x, { target: y })).data.slice(-V)]
  const sum = logits.reduce((total, each) => total + Math.exp(each), 0)
  return logits.map((each) => each - Math.log(sum))
}

function probabilityOf(model: EncoderDecoder, source: number[], tokens: readonly number[]): number {
  return tokens.reduce((sum, token, t) => sum + next(model, source, tokens.slice(0, t))[token], 0)
}

/** All texts of at most `length` tokens that end. */
function* texts(length: number, before: number[] = []): Generator<number[]> {
  for (let token = 0; token < V; token++) {
    const text = [...before, token]
    if (token === end || text.length === length) yield text
    else yield* texts(length, text)
  }
}

describe.each([
  ['with input feeding', {}],
  [
    'of two layers, without input feeding, additive, tied',
    {
      numLayers: 2,
      inputFeeding: false,
      score: 'additive',
      tieWeights: true,
    },
  ],
] as const)('an EncoderDecoder %s', (_, options) => {
  const model = make(options)

  it('writes the most probable token each time, as forward has it', async () => {
    for (const source of sources) {
      const { tokens, logProbability, stopped } = await generate(model, { source, maxLength: 6 }).result()
      for (const [t, token] of tokens.entries()) {
        const all = next(model, source, tokens.slice(0, t))
        expect(token).toBe(all.indexOf(Math.max(...all)))
      }
      expect(stopped).toBe(tokens.at(-1) === end ? 'stop' : 'length')
      expect(logProbability).toBeCloseTo(probabilityOf(model, source, tokens), 4)
    }
  })

  it('finds the most probable text of all with enough beams', async () => {
    const [source] = sources
    const { tokens, score } = await generate(model, { source, maxLength: 3, beams: 40 }).result()
    const all = [...texts(3)].map((text) => ({ text, p: probabilityOf(model, source, text) }))
    const best = all.reduce((a, b) => (b.p > a.p ? b : a))
    expect(tokens).toEqual(best.text)
    expect(score).toBeCloseTo(best.p, 4)
  })

  it('gives each the same alone and beside others', async () => {
    const ways: Partial<GenerateOptions>[] = [
      {},
      { beams: 3 },
      { temperature: 1.5, seed: 7 },
      { topK: 2, topP: 0.9, seed: 1 },
    ]
    const runs = sources.flatMap((source) => ways.map((way) => ({ source, maxLength: 8, ...way })))
    const alone = []
    for (const run of runs) alone.push(await generate(model, run).results())
    expect(await Promise.all(runs.map((run) => generate(model, run).results()))).toEqual(alone)
  })
})

describe('generate with an EncoderDecoder', () => {
  const model = make()

  it('runs the steps of all in one call, and reads each source once', async () => {
    const read = vi.spyOn(model.decoder, 'read')
    const encode = vi.spyOn(model, 'encode')
    const runs = sources.map((source) =>
      generate(model, { source, maxLength: 4, beams: 2, stop: [] }).results(),
    )
    await Promise.all(runs)
    expect(encode).toHaveBeenCalledTimes(1)
    expect(read.mock.calls.map(([tokens]) => tokens.shape)).toEqual([
      [3, 1],
      [6, 1],
      [6, 1],
      [6, 1],
    ])
    vi.restoreAllMocks()
  })

  it('leaves the model in the mode it was in', async () => {
    const trained = make({ dropout: 0.5 })
    trained.decoder.training = true
    const [source] = sources
    const first = await generate(trained, { source, maxLength: 5 }).result()
    expect(await generate(trained, { source, maxLength: 5 }).result()).toEqual(first)
    expect(trained.decoder.training).toBe(true)
  })

  it('continues a prompt, and goes by another start and stop if told', async () => {
    const [source] = sources
    const { tokens } = await generate(model, { source, maxLength: 1, prompt: [3, 4] }).result()
    const all = next(model, source, [3, 4])
    expect(tokens).toEqual([all.indexOf(Math.max(...all))])
    const [first] = (await generate(model, { source, maxLength: 9 }).result()).tokens
    const { tokens: stopped } = await generate(model, { source, maxLength: 9, stop: first }).result()
    expect(stopped).toEqual([first])
  })

  it('ends at a signal', async () => {
    const [source] = sources
    const controller = new AbortController()
    const generation = generate(model, { source, maxLength: 50, stop: [], signal: controller.signal })
    const run = (async () => {
      for await (const _ of generation) controller.abort(new Error('enough'))
    })()
    await expect(run).rejects.toThrow('enough')
    expect((await generation.result()).stopped).toBe('aborted')
  })

  it('refuses what does not fit', () => {
    const refused = (options: object) => () => generate(model, { maxLength: 3, source: [3], ...options })
    expect(refused({ source: undefined })).toThrow('expected source to be an array of tokens')
    expect(refused({ source: [] })).toThrow('at least one token')
    expect(refused({ source: [7] })).toThrow('expected tokens of source in [0, 7), got 7')
    expect(refused({ outputs: 'logits' })).toThrow('outputs is for plans')
    expect(refused({ start: 6 })).toThrow('expected indices of start in [0, 6), got 6')
  })
})
