/** Corpus BLEU against values that others have published, and its edges. */
import { describe, expect, it } from 'vitest'
import { corpusBleu } from '../lib/training/bleu.ts'

describe('corpusBleu', () => {
  it("is what sacrebleu's README shows: 48.53 82.4/50.0/45.5/37.5 (BP = 0.943, lengths 17 and 18)", () => {
    const hypotheses = ['The dog bit the man .', "It wasn't surprising .", 'The man had just bitten him .']
    const references = [
      ['The dog bit the man .', 'The dog had bit the man .'],
      ['It was not unexpected .', 'No one was surprised .'],
      ['The man bit him first .', 'The man had bitten the dog .'],
    ]
    const bleu = corpusBleu(hypotheses, references)
    expect(bleu.score).toBeCloseTo(48.53, 2)
    expect(bleu.precisions.map((p) => p.toFixed(1))).toEqual(['82.4', '50.0', '45.5', '37.5'])
    expect(bleu.brevityPenalty).toBeCloseTo(0.943, 3)
    expect([bleu.hypothesisLength, bleu.referenceLength]).toEqual([17, 18])
  })

  it("is what NLTK's documentation shows: 0.5921", () => {
    const hypotheses = [
      'It is a guide to action which ensures that the military always obeys the commands of the party',
      'he read the book because he was interested in world history',
    ]
    const references = [
      [
        'It is a guide to action that ensures that the military will forever heed Party commands',
        'It is the guiding principle which guarantees the military forces always being under the command of the Party',
        'It is the practical guide for the army always to heed the directions of the party',
      ],
      'he was interested in world history because he read the book',
    ]
    expect(corpusBleu(hypotheses, references).score).toBeCloseTo(59.21, 2)
  })

  it('is 100 for the reference itself, and 0 where no word is right', () => {
    const texts = ['a b c d e', 'f g h i']
    expect(corpusBleu(texts, texts).score).toBeCloseTo(100, 10)
    expect(corpusBleu(['x y z w', ''], texts).score).toBe(0)
    expect(corpusBleu([''], ['a']).brevityPenalty).toBe(0)
  })

  it('counts a word no more often than a reference has it', () => {
    const { precisions } = corpusBleu(['the the the the the the the'], ['the cat is on the mat'])
    expect(precisions[0]).toBeCloseTo((100 * 2) / 7, 10)
  })

  it('smooths what nothing matches: p_3 and p_4 are a half and a quarter of a match', () => {
    const { score, precisions } = corpusBleu(['a b x y z'], ['a b c d e'])
    expect(precisions).toEqual([40, 25, 100 / 6, 100 / 8])
    expect(score).toBeCloseTo((40 * 25 * (100 / 6) * (100 / 8)) ** 0.25, 10)
  })

  it('punishes what is short, not what is long', () => {
    expect(corpusBleu(['a b c d'], ['a b c d e f']).brevityPenalty).toBeCloseTo(Math.exp(1 - 6 / 4), 12)
    expect(corpusBleu(['a b c d e f'], ['a b c d']).brevityPenalty).toBe(1)
  })

  it('refuses what does not go together', () => {
    expect(() => corpusBleu(['a'], [])).toThrow('got 1 and 0')
    expect(() => corpusBleu(['a'], [[]])).toThrow('hypothesis 0 has no reference')
    expect(() => corpusBleu([['a']] as never, ['a'])).toThrow('expected texts')
  })
})
