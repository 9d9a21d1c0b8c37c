/** Vocabularies: characters, words and sub-words, and their way into files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Embedding, save } from 'lstm-native'
import {
  characterVocabulary,
  loadTokenizer,
  loadVocabulary,
  type Vocabulary,
  vocabularyFromJSON,
  vocabularyMetadata,
  wordVocabulary,
} from 'lstm-native/text'
import { afterAll, describe, expect, it } from 'vitest'

const fixtures = join(import.meta.dirname, 'fixtures', 'text')
const folder = mkdtempSync(join(tmpdir(), 'lstm-native-text-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function* lines(...texts: string[]) {
  yield* texts
}

describe('a vocabulary of characters', () => {
  it('holds code points in their order, and gives any text of them back', () => {
    const vocabulary = characterVocabulary('b😀ba\nß')
    expect(Array.from({ length: vocabulary.size }, (_, i) => vocabulary.tokenAt(i))).toEqual([
      '\n',
      'a',
      'b',
      'ß',
      '😀',
    ])
    expect([...vocabulary.encode('a😀')]).toEqual([1, 4])
    expect(vocabulary.specials).toEqual({})
    fc.assert(
      fc.property(fc.array(fc.constantFrom('\n', 'a', 'b', 'ß', '😀')), (characters) => {
        const text = characters.join('')
        expect(vocabulary.decode(vocabulary.encode(text))).toBe(text)
      }),
    )
  })

  it('says which character it does not know, where, and what to do', () => {
    expect(() => characterVocabulary('abc').encode('cab!a')).toThrow(
      new RangeError(
        'encode: expected tokens of the vocabulary, got "!" (U+0021) at position 3; ' +
          "make the vocabulary with an unknown token, specials: { unknown: '<unk>' }, or of all the texts",
      ),
    )
  })

  it('leaves rare ones to the unknown token', () => {
    const vocabulary = characterVocabulary(['aab', 'ab'], { minimumCount: 3, specials: { unknown: '?' } })
    expect([...vocabulary.encode('abz')]).toEqual([1, 0, 0])
  })
})

describe('a vocabulary of words', () => {
  const texts = ['the cat sat', 'the cat', 'the dog  sat\n']

  it('begins with the special tokens, then the most frequent words', () => {
    const vocabulary = wordVocabulary(texts)
    expect(Array.from({ length: vocabulary.size }, (_, i) => vocabulary.tokenAt(i))).toEqual([
      ...['<pad>', '<unk>', '<s>', '</s>'],
      ...['the', 'cat', 'sat', 'dog'],
    ])
    expect(vocabulary.specials).toEqual({ padding: 0, unknown: 1, start: 2, end: 3 })
    expect(vocabulary.indexOf('cat')).toBe(5)
    expect(vocabulary.indexOf('cow')).toBeUndefined()
  })

  it('encodes with start and end tokens, unknown words too, and decodes without special ones', () => {
    const vocabulary = wordVocabulary(texts)
    const indices = vocabulary.encode(' the cow\tsat ', { start: true, end: true })
    expect([...indices]).toEqual([2, 4, 1, 6, 3])
    expect(vocabulary.decode(indices)).toBe('the sat')
    expect(vocabulary.decode(indices, { specials: true })).toBe('<s> the <unk> sat </s>')
  })

  it('leaves out what is rare, or beyond its size', () => {
    expect(wordVocabulary(texts, { minimumCount: 2 }).size).toBe(4 + 3)
    expect(wordVocabulary(texts, { maximumSize: 6 }).tokenAt(5)).toBe('cat')
    expect(wordVocabulary(texts, { maximumSize: 6 }).size).toBe(6)
  })

  it('takes special tokens that stand in the texts for what they are', () => {
    expect(wordVocabulary('a <unk> <unk> b').size).toBe(4 + 2)
  })

  it('splits words from punctuation where it is asked to, in lower case', () => {
    const vocabulary = wordVocabulary("Don't STOP, écoute-moi!", { split: 'words', lowerCase: true })
    expect(vocabulary.decode(vocabulary.encode("don't stop, ÉCOUTE-moi!"))).toBe(
      "don't stop , écoute - moi !",
    )
  })

  it('without an unknown token names the nearest word', () => {
    const vocabulary = wordVocabulary(texts, { specials: { unknown: undefined } })
    expect(vocabulary.specials.unknown).toBeUndefined()
    expect(() => vocabulary.encode('the cats')).toThrow(/got "cats" at position 4; the nearest is "cat"/)
  })

  it('is made of lines as they come, too', async () => {
    const vocabulary = await wordVocabulary(lines(...texts))
    expect(vocabulary.toJSON()).toEqual(wordVocabulary(texts).toJSON())
  })

  it('refuses what makes none', async () => {
    expect(() => wordVocabulary([' ', ''])).toThrow(/expected texts with at least one token, got none/)
    await expect(characterVocabulary(lines())).rejects.toThrow(/got none/)
    expect(() => wordVocabulary(7 as never)).toThrow(/expected a text or an iterable of texts, got 7/)
    expect(() => wordVocabulary('a', { minimumcount: 2 } as never)).toThrow(/did you mean "minimumCount"/)
    expect(() => wordVocabulary('a', { specials: { pad: '_' } as never })).toThrow(/unknown option "pad"/)
    expect(() => wordVocabulary('a', { specials: { end: '<s>' } })).toThrow(/"<s>" at 2 and 3/)
  })

  it('refuses indices that are none, and special tokens that it has not', () => {
    const vocabulary = characterVocabulary('ab')
    expect(() => vocabulary.decode([0, 2])).toThrow(/expected an index in \[0, 2\), got 2/)
    expect(() => vocabulary.encode('a', { end: true })).toThrow(/has no end token/)
  })
})

describe('a vocabulary may be cut', () => {
  const text = 'to be,  or not 😀 to be'
  it.each<[string, Vocabulary]>([
    ['of characters', characterVocabulary(text)],
    ['of words', wordVocabulary(text)],
    ['of words without punctuation', wordVocabulary(text, { split: 'words' })],
  ])('%s where it says so, without a change of the tokens', (_, vocabulary) => {
    const whole = [...vocabulary.encode(text)]
    for (let end = 0; end <= text.length; end++) {
      const cut = vocabulary.lastCut(text.slice(0, end))
      expect(cut).toBeLessThanOrEqual(end)
      expect([...vocabulary.encode(text.slice(0, cut)), ...vocabulary.encode(text.slice(cut))]).toEqual(whole)
    }
    expect(vocabulary.lastCut(text)).toBeGreaterThan(text.length - 4)
  })
})

describe('a tokenizer.json', () => {
  const path = join(fixtures, 'tokenizer.json')
  const { size, cases } = JSON.parse(readFileSync(join(fixtures, 'tokenizer-cases.json'), 'utf8')) as {
    size: number
    cases: { text: string; ids: number[] }[]
  }

  it('has the tokens that the Python package gives, and gives the texts back', async () => {
    const vocabulary = await loadTokenizer(path)
    expect(vocabulary.size).toBe(size)
    for (const { text, ids } of cases) {
      expect([...vocabulary.encode(text)]).toEqual(ids)
      expect(vocabulary.decode(ids)).toBe(text)
    }
  })

  it('has special tokens where it is told which', async () => {
    const vocabulary = await loadTokenizer(path, { specials: { padding: '<|pad|>', end: '<|end|>' } })
    const indices = vocabulary.encode('speak', { end: true })
    expect(indices.at(-1)).toBe(vocabulary.specials.end)
    expect(vocabulary.decode(indices)).toBe('speak')
    expect(vocabulary.decode(indices, { specials: true })).toBe('speak<|end|>')
    await expect(loadTokenizer(path, { specials: { start: '<s>' } })).rejects.toThrow(
      /"<s>" among the tokens/,
    )
    expect(() => vocabulary.encode('a', { start: true })).toThrow(/has no start token/)
  })

  it('is refused where it is none', async () => {
    const damaged = join(folder, 'damaged.json')
    writeFileSync(damaged, readFileSync(path, 'utf8').slice(0, 100))
    await expect(loadTokenizer(damaged)).rejects.toMatchObject({ code: 'InvalidTokenizer', path: damaged })
    writeFileSync(damaged, '{"model": {"type": "Unheard"}}')
    await expect(loadTokenizer(damaged)).rejects.toThrow(/its tokenizer cannot be built/)
    writeFileSync(damaged, '[]')
    await expect(loadTokenizer(damaged)).rejects.toThrow(/expected a tokenizer.json, an object with a model/)
    await expect(loadTokenizer(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'Unreadable' })
  })
})

describe('a model file', () => {
  const model = new Embedding({ vocabularySize: 4, embeddingSize: 2, seed: 1 })
  const path = join(folder, 'model.safetensors')

  it.each<[string, () => Vocabulary | Promise<Vocabulary>]>([
    ['characters', () => characterVocabulary('tobernt', { lowerCase: true })],
    ['words', () => wordVocabulary('to be or not', { split: 'words' })],
    ['tokenizer', () => loadTokenizer(join(fixtures, 'tokenizer.json'), { specials: { end: '<|end|>' } })],
  ])('keeps a vocabulary of kind %s', async (kind, make) => {
    const vocabulary = await make()
    await save(model, path, { metadata: vocabularyMetadata(vocabulary) })
    const loaded = await loadVocabulary(path)
    expect(loaded.kind).toBe(kind)
    expect(loaded.toJSON()).toEqual(vocabulary.toJSON())
    expect(loaded.encode('tent to be'.slice(0, 4))).toEqual(vocabulary.encode('tent'))
    expect(loaded.specials).toEqual(vocabulary.specials)
  })

  it('keeps several under their names, and says which there are', async () => {
    const [source, target] = [characterVocabulary('ab'), wordVocabulary('c d')]
    await save(model, path, { metadata: vocabularyMetadata({ source, target }) })
    expect((await loadVocabulary(path, 'target')).toJSON()).toEqual(target.toJSON())
    await expect(loadVocabulary(path)).rejects.toThrow(
      /found lstm_native.vocabulary.source, lstm_native.vocabulary.target/,
    )
    await expect(loadVocabulary(path)).rejects.toMatchObject({ code: 'NoVocabulary', path })
  })

  it('with a damaged one is refused', async () => {
    const good = characterVocabulary('ab').toJSON()
    const damages: [object, RegExp][] = [
      [{ ...good, version: 2 }, /expected version 1, got 2/],
      [{ ...good, kind: 'signs' }, /expected kind 'characters', 'words' or 'tokenizer', got "signs"/],
      [{ ...good, tokens: ['a', 'a'] }, /got "a" at 0 and 1/],
      [{ ...good, tokens: ['a', 3] }, /expected token 1 to be a text of a character or more, got 3/],
      [{ ...good, tokens: 'ab' }, /expected tokens in an array/],
      [{ ...good, specials: { unknown: 'z' } }, /expected the unknown token "z" among the tokens/],
      [{ ...good, specials: { odd: 'a' } }, /got odd "a"/],
      [{ ...good, specials: null }, /expected specials to be an object, got null/],
      [{ ...good, splitting: 'letters' }, /expected splitting to be one of .*, got "letters"/],
    ]
    for (const [json, message] of damages) {
      await expect(vocabularyFromJSON(json as never)).rejects.toThrow(message)
      await save(model, path, { metadata: { 'lstm_native.vocabulary': JSON.stringify(json) } })
      await expect(loadVocabulary(path)).rejects.toMatchObject({ code: 'InvalidVocabulary', path })
    }
    expect(() => vocabularyMetadata({ source: 'ab' as never })).toThrow(/expected source to be a vocabulary/)
  })
})
