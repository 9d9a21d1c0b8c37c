/** Generation token by token: what is read, when it ends, and what goes wrong. */
import { compile, generate, LSTM, lastStep, Sequential, seedAll, tensor, useBackend } from 'lstm-native'
import { beforeEach, describe, expect, it } from 'vitest'
import { argmax, languageModel, languagePlan, nextLogProbabilities } from './support/language-model.ts'
import { all } from './support/small-model.ts'

const prompt = [2, 0, 1]
/** Its most probable text goes 0 0 5 0 0 4 1 0 … */
const several = { vocabulary: 7, scale: 6, seed: 9 }

beforeEach(() => {
  useBackend('native')
})

describe.each(['reference', 'native'] as const)('on %s, greedy generation', (backendName) => {
  it.each([
    'float32',
    'float64',
  ] as const)('is the chain of the most probable tokens, in %s', async (dataType) => {
    useBackend(backendName)
    const plan = languagePlan({ ...several, dataType })
    const text = [...prompt]
    let logProbability = 0
    for (let n = 0; n < 30; n++) {
      const next = nextLogProbabilities(plan, text)
      text.push(argmax(next))
      logProbability += Math.max(...next)
    }
    const generation = generate(plan, { prompt, maxLength: 30 })
    const tokens = text.slice(3)
    expect(new Set(tokens).size).toBe(4)
    expect(await all(generation)).toEqual(tokens)
    expect(await generation.result()).toEqual({
      tokens,
      logProbability,
      score: logProbability,
      stopped: 'length',
    })
  })
})

describe('the model', () => {
  it('may give logits, log-probabilities or probabilities', async () => {
    const endings = [undefined, 'logSoftmax', 'softmax'] as const
    const [logits, ...others] = await Promise.all(
      endings.map((ending) => generate(languagePlan({ ending }), { prompt, maxLength: 20 }).result()),
    )
    for (const { tokens, logProbability } of others) {
      expect(tokens).toEqual(logits.tokens)
      // Twenty probabilities rounded to float32, and as many logits.
      expect(Math.abs(logProbability - logits.logProbability)).toBeLessThan(20 * 2 ** -21)
    }
  })

  it('may end in a single step', async () => {
    const layers = languageModel().layers
    const plan = compile(new Sequential([...layers.slice(0, 2), lastStep(), layers[2]]))
    const { tokens } = await generate(plan, { prompt, maxLength: 20 }).result()
    expect(tokens).toEqual((await generate(languagePlan(), { prompt, maxLength: 20 }).result()).tokens)
  })

  it('may take features', async () => {
    const encode = (token: number) => Array.from({ length: 4 }, (_, i) => Number(i === token))
    const head = languageModel().layers[2]
    const plan = compile(new Sequential([new LSTM({ inputSize: 4, hiddenSize: 6, seed: 5 }), head]))
    const text = [...prompt]
    for (let n = 0; n < 12; n++) {
      const { array } = plan.predictSync(tensor([text.map(encode)]))
      text.push(argmax([...array.slice(-4)]))
    }
    const { tokens } = await generate(plan, { prompt, maxLength: 12, encode }).result()
    expect(tokens).toEqual(text.slice(3))
    const short = generate(plan, { prompt, maxLength: 12, encode: () => [1, 2] })
    await expect(short.result()).rejects.toThrow(
      'expected encode to return 4 features, got an array of 2 for token 2',
    )
  })

  it('reads start before the prompt, or alone', async () => {
    const plan = languagePlan()
    const whole = await generate(plan, { prompt, maxLength: 9 }).result()
    const parts = await generate(plan, { prompt: Int32Array.of(0, 1), start: 2, maxLength: 9 }).result()
    expect(parts).toEqual(whole)
    const alone = await generate(plan, { start: 2, maxLength: 9 }).result()
    expect(alone).toEqual(await generate(plan, { prompt: [2], maxLength: 9 }).result())
  })
})

describe('a text ends', () => {
  const plan = () => languagePlan(several)
  const whole = () => generate(plan(), { prompt, maxLength: 30 }).result()

  it('after a token', async () => {
    const { tokens } = await whole()
    const end = tokens[5]
    const first = tokens.indexOf(end)
    for (const stop of [end, [end], [6, end]]) {
      const result = await generate(plan(), { prompt, maxLength: 30, stop }).result()
      expect(result).toMatchObject({ tokens: tokens.slice(0, first + 1), stopped: 'stop' })
    }
  })

  it('after tokens in a row, not counting the prompt', async () => {
    const { tokens } = await whole()
    const row = tokens.slice(4, 7)
    const ends = tokens.findIndex((_, n) => n >= 2 && row.every((token, i) => tokens[n - 2 + i] === token))
    const result = await generate(plan(), { prompt, maxLength: 30, stop: [row] }).result()
    expect(result).toMatchObject({ tokens: tokens.slice(0, ends + 1), stopped: 'stop' })
    const begun = await generate(plan(), { prompt, maxLength: 1, stop: [[1, tokens[0]]] }).result()
    expect(begun.stopped).toBe('length')
  })

  it('when a function says so, or any of several stops', async () => {
    const { tokens } = await whole()
    const seen: number[] = []
    const atFour = (text: readonly number[]) => seen.push(text.length) === 4
    const result = await generate(plan(), {
      prompt,
      maxLength: 30,
      stop: [6, [5, 5], atFour],
    }).result()
    expect(result).toMatchObject({ tokens: tokens.slice(0, 4), stopped: 'stop' })
    expect(seen).toEqual([1, 2, 3, 4])
    expect((await generate(plan(), { prompt, maxLength: 4, stop: () => false }).result()).stopped).toBe(
      'length',
    )
  })
})

describe('a generation', () => {
  it('gives every loop and the result the same tokens', async () => {
    const generation = generate(languagePlan(), { prompt, maxLength: 25, seed: 3 })
    const [first, result, second] = await Promise.all([all(generation), generation.result(), all(generation)])
    expect(first).toHaveLength(25)
    expect(second).toEqual(first)
    expect(result.tokens).toEqual(first)
    expect(await all(generation)).toEqual(first)
  })

  it('draws its seed from the ambient stream where none is given', async () => {
    const draw = () =>
      generate(languagePlan({ scale: 1 }), { prompt, maxLength: 40, temperature: 1 }).result()
    seedAll(5)
    const first = await draw()
    const second = await draw()
    seedAll(5)
    expect((await draw()).tokens).toEqual(first.tokens)
    expect(second.tokens).not.toEqual(first.tokens)
  })
})
