/** Corpora and lines in files: what batches hold, what they carry over, and what is refused before training. */
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Batch,
  batches,
  crossEntropy,
  Embedding,
  evaluate,
  fit,
  Linear,
  LSTM,
  perplexity,
  Random,
  Sequential,
  sgd,
  Tensor,
} from 'lstm-native'
import {
  characterVocabulary,
  openCorpus,
  openLines,
  textLines,
  type Vocabulary,
  wordVocabulary,
} from 'lstm-native/text'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-corpus-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function file(content: string | Uint8Array): string {
  const path = join(folder, `${files++}.txt`)
  writeFileSync(path, content)
  return path
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const epoch = (number = 1) => ({ number, random: new Random(number) })

/** The pairs of a token and its successor that each row of the batches holds, in order. */
function pairsOf(found: readonly Batch[], vocabulary: Vocabulary): string[][] {
  const rows: string[][] = Array.from({ length: found[0].x.shape[0] }, () => [])
  for (const { x, y, lengths } of found) {
    const T = x.shape[1]
    for (const [b, row] of rows.entries()) {
      for (let t = 0; t < (lengths?.[b] ?? T); t++) {
        row.push([x, y].map(({ array }) => vocabulary.tokenAt(array[b * T + t])).join('>'))
      }
    }
  }
  return rows
}

describe('a corpus', () => {
  it('has every token but the first as a target once, in rows that go on from batch to batch', async () => {
    const text = 'abcdefghijklmnopqrst'
    const vocabulary = characterVocabulary(text)
    const corpus = await openCorpus(file(text), { vocabulary, batchSize: 3, steps: 3 })
    expect([corpus.tokens, corpus.count]).toEqual([20, 3])
    const found = await all(corpus.open(epoch()))
    expect(found.map(({ x, continues, lengths }) => [x.shape, continues, lengths && [...lengths]])).toEqual([
      [[3, 3], false, undefined],
      [[3, 3], true, undefined],
      [[3, 1], true, [1, 0, 0]],
    ])
    const targets = pairsOf(found, vocabulary).flat()
    expect(targets).toEqual(Array.from(text.slice(1), (each, i) => `${text[i]}>${each}`))
  })

  it.each([
    ['characters', (text: string) => characterVocabulary(text)],
    ['words', (text: string) => wordVocabulary(text, { specials: { unknown: undefined } })],
  ])('of %s is read in blocks and from parts, with the tokens of the whole', async (_, make) => {
    // Longer than two blocks, of characters of one to four bytes, which the blocks' bounds cut in two.
    const words = ['to', 'größer', '字字', '😀😀😀', 'be,\n']
    const random = new Random(3)
    const text = Array.from({ length: 40_000 }, () => words[random.integer(words.length)]).join(' ')
    const vocabulary = make(text)
    const path = file(text)
    const tokens = [...vocabulary.encode(text)].map((index) => vocabulary.tokenAt(index))
    const expected = tokens.slice(1).map((token, i) => `${tokens[i]}>${token}`)
    for (const batchSize of [1, 4]) {
      const corpus = await openCorpus(path, { vocabulary, batchSize, steps: 1000 })
      expect(corpus.tokens).toBe(tokens.length)
      expect(pairsOf(await all(corpus.open(epoch())), vocabulary).flat()).toEqual(expected)
    }
    const parts = [
      [0, 0.7],
      [0.7, 1],
    ] as const
    const counts = await Promise.all(
      parts.map(
        async (part) => (await openCorpus(path, { vocabulary, batchSize: 2, steps: 50, part })).tokens,
      ),
    )
    expect(counts[0] + counts[1]).toBe(tokens.length)
    expect(Math.abs(counts[0] / tokens.length - 0.7)).toBeLessThan(0.01)
  })

  it('begins elsewhere in each epoch where it shifts, the same in every run', async () => {
    const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(3)
    const vocabulary = characterVocabulary(text)
    const corpus = await openCorpus(file(text), { vocabulary, batchSize: 2, steps: 10, shift: true })
    const first = async (number: number) => pairsOf(await all(corpus.open(epoch(number))), vocabulary)[0][0]
    const begun = await Promise.all([1, 2, 3, 4, 5].map(first))
    expect(new Set(begun).size).toBeGreaterThan(2)
    expect(await Promise.all([1, 2, 3, 4, 5].map(first))).toEqual(begun)
    const [found] = [await all(corpus.open(epoch(1)))]
    expect(pairsOf(found, vocabulary)[1].at(-1)).toBe('y>z')
  })

  it('is refused where it cannot be one, before training starts', async () => {
    const vocabulary = characterVocabulary('abc')
    const options = { vocabulary, batchSize: 2, steps: 4 }
    const opened = (content: string | Uint8Array, more: object = {}) =>
      openCorpus(file(content), { ...options, ...more })
    await expect(opened('abcabd')).rejects.toThrow(
      /in the text from byte 3 on: expected tokens of the vocabulary, got encode: .* got "d" .* position 2/,
    )
    await expect(opened('abc')).rejects.toThrow(/bytes 2 to 3, row 1 of 2: expected 2 tokens or more, got 1/)
    await expect(opened('')).rejects.toThrow(/row 0 of 2: expected 2 tokens or more, got 0/)
    await expect(opened(Uint8Array.of(0x61, 0x62, 0xe9, 0x61, 0x62))).rejects.toMatchObject({
      name: 'DataError',
      message: expect.stringMatching(/byte 2: expected text in UTF-8, got 0xE9; convert the file/),
    })
    await expect(openCorpus(join(folder, 'none.txt'), options)).rejects.toThrow(
      /expected a text file that can be read/,
    )
    await expect(opened('abcabc', { part: [0.5, 0.2] })).rejects.toThrow(/two fractions of the file/)
    await expect(opened('abcabc', { shift: 1 })).rejects.toThrow(/expected shift to be true or false/)
    await expect(opened('abcabc', { step: 1 })).rejects.toThrow(/did you mean "steps"/)
    await expect(opened('abcabc', { vocabulary: 'abc' })).rejects.toThrow(/expected a vocabulary, got "abc"/)
  })

  it('says so when the file was cut off since', async () => {
    const path = file('abcabcabc')
    const corpus = await openCorpus(path, { vocabulary: characterVocabulary('abc'), batchSize: 1, steps: 4 })
    truncateSync(path, 4)
    await expect(all(corpus.open(epoch()))).rejects.toThrow(/expected 9 bytes or more, got 4/)
  })

  it('leaves out a byte order mark', async () => {
    const path = file('\ufeffab\nab')
    expect(await all(textLines(path))).toEqual(['ab', 'ab'])
    const corpus = await openCorpus(path, { vocabulary: characterVocabulary('ab\n'), batchSize: 1, steps: 4 })
    expect(corpus.tokens).toBe(5)
  })
})

function languageModel(V: number): Sequential {
  return new Sequential([
    new Embedding({ vocabularySize: V, embeddingSize: 4, seed: 1 }),
    new LSTM({ inputSize: 4, hiddenSize: 6, seed: 2 }),
    new Linear({ inputSize: 6, outputSize: V, seed: 3 }),
  ])
}

describe('a model of a corpus', () => {
  const text = 'abcabdabcabdcabd'.repeat(5)
  const vocabulary = characterVocabulary(text)

  it('is evaluated as on the whole text at once', async () => {
    const corpus = await openCorpus(file(text), { vocabulary, batchSize: 1, steps: 7 })
    const model = languageModel(vocabulary.size)
    const indices = vocabulary.encode(text)
    const T = indices.length - 1
    const whole = {
      x: new Tensor([1, T], indices.slice(0, T)),
      y: new Tensor([1, T], indices.slice(1)),
    }
    const options = { loss: crossEntropy, metrics: { perplexity } }
    const [inParts, atOnce] = [
      await evaluate(model, corpus, options),
      await evaluate(model, [whole], options),
    ]
    expect(inParts.loss).toBeCloseTo(atOnce.loss, 5)
    expect(inParts.metrics.perplexity).toBeCloseTo(Math.exp(atOnce.loss), 4)
  })

  it('is trained with its state carried from batch to batch, as with truncate on rows as long', async () => {
    const corpus = await openCorpus(file(text), { vocabulary, batchSize: 1, steps: 8 })
    const [streamed, truncated] = [languageModel(vocabulary.size), languageModel(vocabulary.size)]
    const options = { loss: crossEntropy, epochs: 2, optimizer: sgd({ learningRate: 0.5 }), seed: 1 }
    const indices = vocabulary.encode(text)
    const T = indices.length - 1
    const rows = { x: new Tensor([1, T], indices.slice(0, T)), y: new Tensor([1, T], indices.slice(1)) }
    const streamedLosses = (await all(fit(streamed, corpus, options))).map(({ loss }) => loss)
    const losses = (await all(fit(truncated, [rows], { ...options, truncate: 8 }))).map(({ loss }) => loss)
    expect(streamedLosses).toEqual(losses)
  })

  it('is shown in training what evaluation shows it, state and all', async () => {
    const corpus = await openCorpus(file(text), { vocabulary, batchSize: 2, steps: 5 })
    const model = languageModel(vocabulary.size)
    const { loss } = await evaluate(model, corpus, { loss: crossEntropy })
    const [epoch] = await all(fit(model, corpus, { loss: crossEntropy, epochs: 1, schedule: () => 0 }))
    expect(epoch.loss).toBeCloseTo(loss, 6)
  })

  it('knows how many batches there are', async () => {
    const corpus = await openCorpus(file(text), { vocabulary, batchSize: 2, steps: 8 })
    const seen: (number | undefined)[] = []
    const options = {
      loss: crossEntropy,
      epochs: 1,
      onBatch: ({ batches: n }: { batches?: number }) => seen.push(n),
    }
    for await (const _ of fit(languageModel(vocabulary.size), corpus, options));
    expect(seen).toEqual(Array(corpus.count).fill(corpus.count))
  })

  it('goes on from a checkpoint in the middle of an epoch with the same bits', async () => {
    const corpus = await openCorpus(file(text), { vocabulary, batchSize: 2, steps: 8, shift: true })
    const path = join(folder, 'run.safetensors')
    const options = { loss: crossEntropy, epochs: 2, optimizer: sgd({ learningRate: 0.5 }), seed: 4 }
    const whole = (await all(fit(languageModel(vocabulary.size), corpus, options))).map(({ loss }) => loss)
    const checkpoint = { path, every: 3, unit: 'step' as const }
    const stopped = new AbortController()
    const stopping = fit(languageModel(vocabulary.size), corpus, {
      ...options,
      checkpoint,
      signal: stopped.signal,
      onBatch: ({ step }) => step === 4 && stopped.abort(new Error('enough')),
    })
    await expect(all(stopping)).rejects.toThrow('enough')
    const resumed = await all(fit(languageModel(vocabulary.size), corpus, { ...options, resume: path }))
    expect(resumed.map(({ loss }) => loss)).toEqual(whole)
  })
})

describe('the lines of a file', () => {
  const text = 'a b c\r\n\n b\n  \nc a a b\nb b'
  const vocabulary = wordVocabulary(text)

  it('are sequences from the start token to the end token', async () => {
    const lines = await openLines(file(text), { vocabulary })
    expect(lines.size).toBe(4)
    const { x, y, lengths } = lines.batch([2, 1])
    expect([...lengths!]).toEqual([5, 2])
    const shown = (tensor: Tensor, b: number) =>
      vocabulary.decode((tensor.array as Int32Array).subarray(b * 5, (b + 1) * 5), { specials: true })
    expect([shown(x, 0), shown(y, 0)]).toEqual(['<s> c a a b', 'c a a b </s>'])
    expect([shown(x, 1), shown(y, 1)]).toEqual(['<s> b <pad> <pad> <pad>', 'b </s> <pad> <pad> <pad>'])
    lines.close()
  })

  it('are shuffled, and put beside lines of their length', async () => {
    const path = file(Array.from({ length: 50 }, (_, n) => 'a '.repeat(1 + (n % 7))).join('\n'))
    const lines = await openLines(path, { vocabulary, maximumLength: 5 })
    const lengths = [...batches(lines, { batchSize: 10, random: new Random(1) })].map((batch) => [
      ...batch.lengths!,
    ])
    expect(lengths.flat().length).toBe(50)
    expect(Math.max(...lengths.flat())).toBe(5)
    for (const each of lengths) expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(2)
    lines.close()
  })

  it('are read one at a time for a vocabulary', async () => {
    expect(await all(textLines(file(text)))).toEqual(['a b c', '', ' b', '  ', 'c a a b', 'b b'])
  })

  it('are refused where there are none, or a token is missing', async () => {
    await expect(openLines(file('\n \n'), { vocabulary })).rejects.toThrow(
      /expected a line with text in it, got none/,
    )
    const bare = wordVocabulary(text, { specials: { end: undefined } })
    await expect(openLines(file(text), { vocabulary: bare })).rejects.toThrow(/has no end token/)
    const strict = wordVocabulary('a b', { specials: { unknown: undefined } })
    await expect(openLines(file(text), { vocabulary: strict })).rejects.toThrow(/got "c" at position 4/)
    const path = file(text)
    const lines = await openLines(path, { vocabulary })
    truncateSync(path, statSync(path).size - 2)
    expect(() => lines.batch([3])).toThrow(/the file was cut off since it was opened/)
    lines.close()
  })
})
