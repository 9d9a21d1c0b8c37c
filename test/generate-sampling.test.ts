/** Sampling: how often tokens are drawn, and which are never. */
import { generate, Random, useBackend } from 'lstm-native'
import { beforeEach, describe, expect, it } from 'vitest'
import { Ranking } from '../lib/inference/generation/ranking.ts'
import { greedy, Sampler } from '../lib/inference/generation/sampling.ts'
import { allTexts, chiSquare, languagePlan } from './support/language-model.ts'

beforeEach(() => {
  useBackend('native')
})

describe('a ranking', () => {
  it('is the order of a stable sort, largest first', () => {
    const random = new Random(4)
    for (const n of [0, 1, 2, 3, 10, 257]) {
      for (const distinct of [1, 3, 1e9]) {
        const values = Float64Array.from({ length: n }, () => -Math.floor(random.uniform() * distinct))
        if (n > 2) values[1] = Number.NEGATIVE_INFINITY
        const expected = [...values.keys()].sort((i, j) => values[j] - values[i] || i - j)
        const ranking = new Ranking(300)
        ranking.rank(values)
        expect(Array.from({ length: n + 1 }, () => ranking.take())).toEqual([...expected, -1])
      }
    }
  })
})

/** ln p of 40 tokens, some of which are equal, some impossible. */
function distribution(): Float64Array<ArrayBuffer> {
  const random = new Random(8)
  const weights = Array.from({ length: 40 }, (_, i) =>
    i % 9 === 5 ? 0 : Math.ceil(random.uniform() ** 3 * 30),
  )
  const sum = weights.reduce((a, b) => a + b)
  return Float64Array.from(weights, (weight) => Math.log(weight / sum))
}

/** What is left of a distribution, by the definition, in sorted lists. */
function filtered(logs: Float64Array, { temperature = 1, topK = logs.length, topP = 1 }): number[] {
  let left = [...logs.entries()].map(([token, log]) => ({ token, weight: Math.exp(log / temperature) }))
  left.sort((a, b) => b.weight - a.weight || a.token - b.token)
  left = left.slice(0, topK)
  const sum = () => left.reduce((total, { weight }) => total + weight, 0)
  const mass = sum()
  let before = 0
  left = left.filter(({ weight }) => {
    const isKept = before < topP * mass
    before += weight
    return isKept
  })
  const probabilities = Array.from(logs, () => 0)
  const total = sum()
  for (const { token, weight } of left) probabilities[token] = weight / total
  return probabilities
}

describe('a sampler', () => {
  const logs = distribution()

  // Bounds: the 99.9 % quantile of χ² with 39 degrees of freedom is 72.1, with fewer it is less.
  it.each([
    {},
    { temperature: 0.5 },
    { temperature: 2.5 },
    { topK: 1 },
    { topK: 6 },
    { topK: 1000 },
    { topP: 0.001 },
    { topP: 0.5 },
    { topP: 0.9 },
    { temperature: 0.7, topK: 12, topP: 0.8 },
    { temperature: 3, topK: 20, topP: 0.6 },
    { topK: 3, topP: 0.99 },
  ])('draws as often as it should with %o, and nothing else', (options) => {
    const expected = filtered(logs, options)
    const sampler = new Sampler(40, { ...options, seed: 12 })
    const counts = expected.map(() => 0)
    for (let n = 0; n < 30_000; n++) counts[sampler.pick(logs)]++
    const likely = [...expected.keys()].filter((token) => expected[token] > 2e-4)
    expect(counts.filter((count, token) => count > 0 && expected[token] === 0)).toEqual([])
    expect(likely.filter((token) => counts[token] === 0)).toEqual([])
    const statistic = chiSquare(
      likely.map((token) => counts[token]),
      normalised(likely.map((token) => expected[token])),
    )
    expect(statistic).toBeLessThan(72.1)
  })

  it('is greedy at temperature 0, and near it, and takes the lowest of equals', () => {
    for (const temperature of [0, 1e-300]) {
      const sampler = new Sampler(4, { temperature, seed: 1 })
      for (let n = 0; n < 20; n++) expect(sampler.pick(Float64Array.of(-3, -0.5, -9, -1.2))).toBe(1)
    }
    expect(new Sampler(3, { temperature: 0, seed: 1 }).pick(Float64Array.of(-2, -1, -1))).toBe(1)
    expect(new Sampler(3, { topK: 1, seed: 1 }).pick(Float64Array.of(-2, -1, -1))).toBe(1)
    expect(greedy.pick(Float64Array.of(-2, -1, -1))).toBe(1)
  })
})

function normalised(values: readonly number[]): number[] {
  const sum = values.reduce((a, b) => a + b)
  return values.map((value) => value / sum)
}

describe('generation that samples', () => {
  it('gives every text as often as the model says, over seeds in a row', async () => {
    const plan = languagePlan({ scale: 2 })
    const texts = allTexts(plan, [1, 3], 2)
    const draws = Array.from({ length: 4000 }, (_, seed) =>
      generate(plan, { prompt: [1, 3], maxLength: 2, seed }).result(),
    )
    const results = await Promise.all(draws)
    const index = new Map(texts.map(({ tokens }, i) => [tokens.join(), i]))
    const counts = texts.map(() => 0)
    for (const { tokens, logProbability } of results) {
      const i = index.get(tokens.join())!
      counts[i]++
      expect(Math.abs(logProbability - texts[i].logProbability)).toBeLessThan(1e-12)
    }
    const probabilities = texts.map(({ logProbability }) => Math.exp(logProbability))
    expect(Math.min(...probabilities) * 4000).toBeGreaterThan(5)
    // The 99.9 % quantile of χ² with 15 degrees of freedom.
    expect(chiSquare(counts, probabilities)).toBeLessThan(37.7)
  })

  it('draws the same tokens with the same seed, others with another', async () => {
    const draw = (seed: number, options = {}) =>
      generate(languagePlan(), { prompt: [1], maxLength: 30, temperature: 2, seed, ...options }).result()
    expect(await draw(7)).toEqual(await draw(7))
    expect((await draw(7)).tokens).not.toEqual((await draw(8)).tokens)
    const greedily = await generate(languagePlan(), { prompt: [1], maxLength: 30 }).result()
    expect((await draw(7, { topK: 1 })).tokens).toEqual(greedily.tokens)
    expect((await draw(7, { topP: 1e-9 })).tokens).toEqual(greedily.tokens)
    expect((await draw(7, { temperature: 0 })).tokens).toEqual(greedily.tokens)
    // Of the model's own distribution, whatever was made of it.
    expect((await draw(7, { topK: 1 })).logProbability).toBe(greedily.logProbability)
  })
})
