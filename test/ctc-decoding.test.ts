/** Reading labels from what a CTC model says: greedily, and by prefix beam search against all paths there are. */
import { describe, expect, it } from 'vitest'
import { ctcBeamSearch } from '../lib/inference/ctc-beam-search.ts'
import { ctcGreedyDecode } from '../lib/inference/ctc-decoding.ts'
import { ctcLoss } from '../lib/operations/ctc.ts'
import { logSoftmax } from '../lib/operations/normalization.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'
import { randomTensor } from './support/finite-differences.ts'

/** Logits that say one class a step, and nothing else. */
function saying(...rows: string[]): Tensor {
  const logits = rows.map((row) =>
    [...row].map((digit) => [0, 1, 2].map((c) => (c === Number(digit) ? 9 : 0))),
  )
  return tensor(logits)
}

/** P of every labelling, by going through all paths. */
function allLabellings(logits: Tensor, blank: number): Map<string, number> {
  const [logp] = logSoftmax(logits).toArray() as number[][][]
  const C = logp[0].length
  const found = new Map<string, number>()
  for (let path = 0; path < C ** logp.length; path++) {
    const classes = logp.map((_, t) => Math.floor(path / C ** t) % C)
    const labels = String(classes.filter((c, t) => c !== classes[t - 1] && c !== blank))
    const probability = Math.exp(classes.reduce((sum, c, t) => sum + logp[t][c], 0))
    found.set(labels, (found.get(labels) ?? 0) + probability)
  }
  return found
}

describe('greedy decoding', () => {
  it('merges what repeats, then leaves blanks out', () => {
    expect(ctcGreedyDecode(saying('0110122', '0000000', '1010101', '2221110'))).toEqual([
      [1, 1, 2],
      [],
      [1, 1, 1, 1],
      [2, 1],
    ])
  })

  it('heeds lengths and another blank', () => {
    const logits = saying('0112', '0221')
    expect(ctcGreedyDecode(logits, { lengths: Int32Array.of(1, 0) })).toEqual([[], []])
    expect(ctcGreedyDecode(logits, { lengths: Int32Array.of(3, 4) })).toEqual([[1], [2, 1]])
    expect(ctcGreedyDecode(logits, { blank: 1 })).toEqual([
      [0, 2],
      [0, 2],
    ])
  })

  it('takes one path where many together are more probable', () => {
    // The likeliest path is two blanks, 0.36, but three of the four paths say 1.
    const logits = tensor([[[0.6, 0.4].map(Math.log), [0.6, 0.4].map(Math.log)]])
    expect(ctcGreedyDecode(logits)).toEqual([[]])
    const [[best, second]] = ctcBeamSearch(logits)
    expect(best.labels).toEqual([1])
    expect(Math.exp(best.logProbability)).toBeCloseTo(0.64, 6)
    expect(second.labels).toEqual([])
    expect(Math.exp(second.logProbability)).toBeCloseTo(0.36, 6)
  })

  it('refuses NaN and wrong options', () => {
    const logits = tensor([[[0, Number.NaN, 0]]])
    const message = /the output of the model for sequence 0 holds NaN/
    expect(() => ctcGreedyDecode(logits)).toThrow(message)
    expect(() => ctcBeamSearch(logits)).toThrow(message)
    expect(() => ctcGreedyDecode(logits, { blank: 3 })).toThrow(
      'expected blank to be a class in [0, 2], got 3',
    )
    expect(() => ctcGreedyDecode(logits, { width: 3 } as object)).toThrow('unknown option "width"')
    expect(() => ctcBeamSearch(logits, { width: 0 })).toThrow('expected width to be a positive integer')
    expect(() => ctcBeamSearch(tensor([1, 2]))).toThrow('expected logits of shape [B, T, C], got [2]')
  })
})

describe('prefix beam search', () => {
  it.each([
    [3, 0],
    [3, 2],
    [4, 1],
  ])('is exact where it keeps all prefixes: %i classes, blank %i', (C, blank) => {
    for (let seed = 1; seed <= 5; seed++) {
      const logits = randomTensor([1, 5, C], { seed, low: -2, high: 2 })
      const truth = allLabellings(logits, blank)
      const [found] = ctcBeamSearch(logits, { width: 10_000, blank })
      expect(found.map(({ labels }) => String(labels)).sort()).toEqual([...truth.keys()].sort())
      for (const { labels, logProbability, score } of found) {
        expect(Math.exp(logProbability)).toBeCloseTo(truth.get(String(labels))!, 12)
        expect(score).toBe(logProbability)
      }
      const scores = found.map(({ score }) => score)
      expect(scores).toEqual(scores.toSorted((a, b) => b - a))
    }
  })

  it('says of each labelling what the loss says of it', () => {
    const logits = randomTensor([1, 6, 3], { seed: 9 })
    const [[{ labels, logProbability }]] = ctcBeamSearch(logits, { width: 10_000 })
    const target = tensor(Int32Array.from(labels), { shape: [1, labels.length] })
    expect(logProbability).toBeCloseTo(-ctcLoss(logits, target, { reduction: 'sum' }).item(), 12)
  })

  it('never says more than the truth of what a narrow beam keeps, and finds the best with some width', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const logits = randomTensor([1, 6, 3], { seed, low: -2, high: 2 })
      const truth = allLabellings(logits, 0)
      const best = [...truth].reduce((most, each) => (each[1] > most[1] ? each : most))
      for (const width of [1, 2, 8]) {
        const [found] = ctcBeamSearch(logits, { width })
        expect(found.length).toBeLessThanOrEqual(width)
        for (const { labels, logProbability } of found)
          expect(Math.exp(logProbability)).toBeLessThanOrEqual(truth.get(String(labels))! * (1 + 1e-12))
        if (width === 8) expect(String(found[0].labels)).toBe(best[0])
      }
    }
  })

  it('decodes each sequence of a batch for itself, to its own length', () => {
    const [a, b] = [randomTensor([1, 5, 3], { seed: 3 }), randomTensor([1, 5, 3], { seed: 4 })]
    const both = tensor(Float64Array.from([...a.data, ...b.data]), { shape: [2, 5, 3] })
    const short = tensor(Float64Array.from(b.data.subarray(0, 6)), { shape: [1, 2, 3] })
    expect(ctcBeamSearch(both, { lengths: Int32Array.of(5, 2) })).toEqual([
      ...ctcBeamSearch(a),
      ...ctcBeamSearch(short),
    ])
    expect(ctcBeamSearch(a, { lengths: Int32Array.of(0) })).toEqual([
      [{ labels: [], logProbability: 0, score: 0 }],
    ])
  })

  it('weighs prefixes by what a language model says', () => {
    const logits = randomTensor([1, 5, 4], { seed: 6, low: -1, high: 1 })
    const lm = (prefix: readonly number[], label: number) =>
      (prefix.at(-1) === label ? -3 : 0.5) - 0.1 * label
    const total = (labels: readonly number[]) =>
      labels.reduce((sum, label, i) => sum + lm(labels.slice(0, i), label), 0)
    const truth = [...allLabellings(logits, 0)]
      .map(([text, probability]) => {
        const labels = text === '' ? [] : text.split(',').map(Number)
        return { labels, score: Math.log(probability) + total(labels) }
      })
      .sort((a, b) => b.score - a.score)
    const [found] = ctcBeamSearch(logits, { width: 10_000, score: lm })
    expect(found[0].labels).toEqual(truth[0].labels)
    for (const [n, { labels, score }] of found.entries()) {
      expect(score).toBeCloseTo(truth[n].score, 12)
      expect(score).toBeCloseTo(found[n].logProbability + total(labels), 12)
    }
  })

  it('leaves out what a score forbids, and refuses scores that are no numbers', () => {
    const logits = randomTensor([1, 4, 3], { seed: 2 })
    const [found] = ctcBeamSearch(logits, { width: 99, score: (_, label) => (label === 2 ? -Infinity : 0) })
    expect(found.length).toBeGreaterThan(1)
    expect(found.filter(({ labels }) => labels.includes(2))).toEqual([])
    expect(() => ctcBeamSearch(logits, { score: () => Number.NaN })).toThrow(
      'ctcBeamSearch: expected score([], 1) to be a number, got NaN',
    )
  })
})
