/** Generations at the same time: in batches, and as if each were alone. */
import { Batcher, type BatchInfo, type GenerateOptions, generate, useBackend } from 'lstm-native'
import { beforeEach, expect, it } from 'vitest'
import { languagePlan } from './support/language-model.ts'

beforeEach(() => {
  useBackend('native')
})

/** Of every kind, and of different lengths. */
const optionsOf = (n: number): GenerateOptions => ({
  prompt: Array.from({ length: 1 + (n % 5) }, (_, i) => (i * n) % 7),
  maxLength: 10 + (n % 13),
  stop: n % 2 ? [[1, 2]] : undefined,
  ...[{}, { temperature: 1.5, seed: n }, { beams: 3, lengthPenalty: 0.6 }, { topP: 0.9, topK: 5, seed: n }][
    n % 4
  ],
})

it('a hundred generations run in batches, each with the bits it has alone', async () => {
  const options = Array.from({ length: 100 }, (_, n) => optionsOf(n))
  const alone = []
  for (const each of options) alone.push(await generate(languagePlan({ vocabulary: 7 }), each).results())
  const sizes: number[] = []
  const batcher = new Batcher(languagePlan({ vocabulary: 7 }), { onBatch: ({ size }) => sizes.push(size) })
  const together = await Promise.all(options.map((each) => generate(batcher, each).results()))
  expect(together).toEqual(alone)
  expect(batcher.statistics.streams).toBe(0)
  const requests = sizes.reduce((sum, size) => sum + size)
  expect(Math.max(...sizes)).toBe(64)
  expect(requests / sizes.length).toBeGreaterThan(20)
})

it('reads the prompt in one call, and all beams in one batch', async () => {
  const batches: BatchInfo[] = []
  const batcher = new Batcher(languagePlan({ vocabulary: 7 }), { onBatch: (info) => batches.push(info) })
  await generate(batcher, { prompt: [1, 2, 3, 4, 5], maxLength: 9, beams: 4 }).result()
  expect(batches.map(({ size, rows }) => [size, rows])).toEqual([[1, 5], ...Array(8).fill([4, 4])])
  batches.length = 0
  await generate(batcher, { prompt: [1, 2, 3, 4, 5], maxLength: 9 }).result()
  expect(batches.map(({ rows }) => rows)).toEqual([5, ...Array(8).fill(1)])
})

it('has no more streams than beams', async () => {
  const batcher = new Batcher(languagePlan({ vocabulary: 7 }))
  const generation = generate(batcher, { prompt: [1], maxLength: 40, beams: 4 })
  const result = generation.result()
  let most = 0
  let isDone = false
  result.then(() => {
    isDone = true
  })
  while (!isDone) {
    most = Math.max(most, batcher.statistics.streams)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(most).toBe(4)
  expect(batcher.statistics.streams).toBe(0)
})
