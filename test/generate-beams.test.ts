/** Beam search beside the list of all texts there are. */
import { generate, useBackend } from 'lstm-native'
import { beforeEach, describe, expect, it } from 'vitest'
import { allTexts, languagePlan, nextLogProbabilities, type Text } from './support/language-model.ts'
import { all } from './support/small-model.ts'

const prompt = [2, 0]
const penalised = (alpha: number) => (text: Text) =>
  text.logProbability / ((5 + text.tokens.length) / 6) ** alpha

describe.each(['reference', 'native'] as const)('on %s, beam search', (backendName) => {
  beforeEach(() => {
    useBackend(backendName)
  })

  it('with a beam for every text finds them all in order', async () => {
    const plan = languagePlan({ vocabulary: 3, scale: 2 })
    const texts = allTexts(plan, prompt, 4)
    const found = await generate(plan, { prompt, maxLength: 4, beams: 81 }).results()
    expect(found).toHaveLength(81)
    expect(found.map(({ tokens }) => tokens)).toEqual(texts.map(({ tokens }) => tokens))
    for (const [i, { logProbability, score, stopped }] of found.entries()) {
      expect(Math.abs(logProbability - texts[i].logProbability)).toBeLessThan(1e-12)
      expect([score, stopped]).toEqual([logProbability, 'length'])
    }
  })

  it.each([0, 0.6, 1, 3])('ranks what has stopped before, with a penalty of %f', async (lengthPenalty) => {
    for (const seed of [1, 2, 3, 4]) {
      const plan = languagePlan({ vocabulary: 3, scale: 2.5, seed })
      const score = penalised(lengthPenalty)
      const texts = allTexts(plan, prompt, 5, 1).sort((a, b) => score(b) - score(a))
      const found = await generate(plan, {
        prompt,
        maxLength: 5,
        stop: 1,
        beams: 243,
        lengthPenalty,
      }).results()
      expect(found.map(({ tokens }) => tokens)).toEqual(texts.map(({ tokens }) => tokens))
      for (const [i, each] of found.entries()) {
        expect(Math.abs(each.score - score(texts[i]))).toBeLessThan(1e-12)
        expect(each.stopped).toBe(each.tokens.at(-1) === 1 ? 'stop' : 'length')
      }
    }
  })

  it('with few beams is that of the definition', async () => {
    for (const seed of [1, 2, 3]) {
      const plan = languagePlan({ vocabulary: 6, scale: 3, seed })
      for (const beams of [1, 2, 4, 7]) {
        const expected = beamsByDefinition(plan, beams, 8)
        const generation = generate(plan, { prompt, maxLength: 8, beams })
        const found = await generation.results()
        expect(found.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens))
        expect(await all(generation)).toEqual(expected[0].tokens)
      }
    }
  })
})

/** Each step carries on the most probable of all continuations of what the last has left. */
function beamsByDefinition(plan: ReturnType<typeof languagePlan>, beams: number, length: number): Text[] {
  let left: Text[] = [{ tokens: [], logProbability: 0 }]
  for (let n = 0; n < length; n++) {
    left = left
      .flatMap(({ tokens, logProbability }) =>
        nextLogProbabilities(plan, [...prompt, ...tokens]).map((log, token) => ({
          tokens: [...tokens, token],
          logProbability: logProbability + log,
        })),
      )
      .sort((a, b) => b.logProbability - a.logProbability)
      .slice(0, beams)
  }
  return left
}

describe('beam search', () => {
  beforeEach(() => {
    useBackend('native')
  })

  it('of one beam is greedy generation', async () => {
    const plan = languagePlan({ vocabulary: 7 })
    const greedy = await generate(plan, { prompt, maxLength: 20, stop: 3 }).result()
    expect(await generate(plan, { prompt, maxLength: 20, stop: 3, beams: 1 }).result()).toEqual(greedy)
  })

  it('ends when nothing that goes on can come before what has stopped', async () => {
    const plan = languagePlan({ vocabulary: 3, scale: 2.5 })
    let longest = 0
    const stop = (tokens: readonly number[]) => {
      longest = Math.max(longest, tokens.length)
      return tokens.at(-1) === 1
    }
    const results = await generate(plan, { prompt, maxLength: 400, beams: 2, stop }).results()
    expect(results.map(({ stopped }) => stopped)).toEqual(['stop', 'stop'])
    expect(longest).toBeLessThan(100)
  })
})
