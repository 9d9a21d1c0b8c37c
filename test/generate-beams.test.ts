/** Beam search beside the list of all texts there are. */
import { generate, type Plan, useBackend } from 'lstm-native'
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

  it.each([
    0, 1, 4,
  ])('with few beams is that of the definition, with a penalty of %f', async (lengthPenalty) => {
    for (const seed of [1, 2, 3, 4]) {
      const plan = languagePlan({ vocabulary: 5, scale: 2.5, seed })
      for (const beams of [1, 2, 4, 7]) {
        const expected = beamsByDefinition(plan, { beams, maxLength: 12, stop: 1, lengthPenalty })
        const generation = generate(plan, { prompt, maxLength: 12, stop: 1, beams, lengthPenalty })
        const found = await generation.results()
        expect(found.map(({ tokens }) => tokens)).toEqual(expected)
        expect(await all(generation)).toEqual(expected[0])
      }
    }
  })
})

/**
 * Each step goes through all continuations, the most probable first: what stops is set aside, until `beams` are found that go
 * on. It goes on to the end whatever is set aside.
 */
function beamsByDefinition(
  plan: Plan,
  { beams, maxLength, stop, lengthPenalty }: Record<'beams' | 'maxLength' | 'stop' | 'lengthPenalty', number>,
): number[][] {
  const score = penalised(lengthPenalty)
  const ended: Text[] = []
  let left: Text[] = [{ tokens: [], logProbability: 0 }]
  for (let n = 1; n <= maxLength; n++) {
    const continuations = left.flatMap(({ tokens, logProbability }) =>
      nextLogProbabilities(plan, [...prompt, ...tokens]).map((log, token) => ({
        tokens: [...tokens, token],
        logProbability: logProbability + log,
      })),
    )
    left = []
    for (const each of continuations.sort((a, b) => b.logProbability - a.logProbability)) {
      if (left.length === beams) break
      if (each.tokens.at(-1) === stop) ended.push(each)
      else left.push(each)
    }
  }
  const best = [...ended, ...left].sort((a, b) => score(b) - score(a))
  return best.slice(0, beams).map(({ tokens }) => tokens)
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
