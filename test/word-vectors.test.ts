/** `loadWordVectors`: files as GloVe and fastText write them, and those that cannot be. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DataError } from '../lib/errors.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import { loadWordVectors, wordVocabulary } from '../lib/text/index.ts'

const vocabulary = wordVocabulary(['the cat sat on the mat'])
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectors-'))
})

afterAll(() => rm(folder, { recursive: true }))

async function file(text: string): Promise<string> {
  const path = join(folder, 'vectors.txt')
  await writeFile(path, text)
  return path
}

const embeddingOf = (size: number) =>
  new Embedding({ vocabularySize: vocabulary.size, embeddingSize: size, seed: 1 })

function row(embedding: Embedding, token: string): number[] {
  const [, E] = embedding.weight.shape
  const index = vocabulary.indexOf(token)!
  return [...embedding.weight.array.slice(index * E, (index + 1) * E)]
}

describe('loadWordVectors', () => {
  it('sets the rows of the words that it finds, and names the others', async () => {
    const path = await file('the 1 -2 0.5\ndog 9 9 9\ncat .25 1e-2 -3E1\nthe 7 7 7\n. . 8 8 8\n')
    const embedding = embeddingOf(3)
    const before = row(embedding, 'mat')
    const { found, missing } = await loadWordVectors(path, { vocabulary, embedding })
    expect(found).toBe(2)
    expect(missing).toHaveLength(vocabulary.size - 2)
    expect(missing.slice(-3).sort()).toEqual(['mat', 'on', 'sat'])
    expect(row(embedding, 'the')).toEqual([1, -2, 0.5])
    expect(row(embedding, 'cat')).toEqual([0.25, Math.fround(1e-2), -30])
    expect(row(embedding, 'mat')).toEqual(before)
  })

  it('passes over the first line of fastText and word2vec', async () => {
    const embedding = embeddingOf(2)
    const path = await file('2 2\nsat 1 2\non 3 4')
    expect((await loadWordVectors(path, { vocabulary, embedding })).found).toBe(2)
    expect([row(embedding, 'sat'), row(embedding, 'on')]).toEqual([
      [1, 2],
      [3, 4],
    ])
  })

  it.each([
    [
      'vectors of another size',
      'the 1 2 3 4\n',
      'line 1: expected a word and 3 numbers, as embeddingSize says, got 4',
    ],
    [
      'a file that was cut off',
      'the 1 2 3\ncat 1 2',
      'line 2: expected a word and 3 numbers, as embeddingSize says, got 2',
    ],
    ['a cell that is no number', 'the 1 x 3\n', 'line 1, value 2: expected a finite number, got "x"'],
    ['a number that is none', 'the 1 NaN 3\n', 'line 1, value 2: expected a finite number, got "NaN"'],
    ['an empty file', '', 'expected word vectors, got an empty file'],
  ])('refuses %s, and leaves the embedding as it was', async (_, text, message) => {
    const embedding = embeddingOf(3)
    const before = embedding.weight.array.slice()
    const refused = loadWordVectors(await file(text), { vocabulary, embedding })
    await expect(refused).rejects.toThrow(DataError)
    await expect(refused).rejects.toThrow(message)
    expect(embedding.weight.array).toEqual(before)
  })

  it('refuses an embedding of another size than the vocabulary, and what is none', async () => {
    const path = await file('the 1 2 3\n')
    const embedding = new Embedding({ vocabularySize: 4, embeddingSize: 3 })
    await expect(loadWordVectors(path, { vocabulary, embedding })).rejects.toThrow(
      `expected an embedding of ${vocabulary.size} tokens, as the vocabulary has, got 4`,
    )
    const none = { vocabulary, embedding: {} as Embedding }
    await expect(loadWordVectors(path, none)).rejects.toThrow('expected an Embedding, got')
    await expect(loadWordVectors('none.txt', { vocabulary, embedding: embeddingOf(3) })).rejects.toThrow(
      DataError,
    )
  })
})
