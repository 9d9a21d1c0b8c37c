/** BLEU of a corpus (Papineni et al. 2002), as sacrebleu counts it on text whose tokens are apart already. */
import { describe } from '../errors.ts'

export interface Bleu {
  /** 0 to 100. */
  score: number
  /** Of n-grams of 1 to 4 tokens, in per cent. */
  precisions: readonly [number, number, number, number]
  /** exp(1 - referenceLength / hypothesisLength) where the hypotheses are the shorter ones, else 1. */
  brevityPenalty: number
  /** In tokens. */
  hypothesisLength: number
  /** Of each hypothesis the reference of the nearest length, of two the shorter one. */
  referenceLength: number
}

const longest = 4

/**
 *     BLEU = brevityPenalty·exp(¼·Σ_n ln p_n),   p_n = Σ min(count, most in a reference) / Σ count
 *
 * over the n-grams of all hypotheses, n to 4. Tokens are what stands between white space; an n for which nothing matches
 * counts as 1 / 2, 1 / 4, ... of a match. Agrees with sacrebleu's `corpus_bleu` with tokenize='none' and its defaults else.
 *
 * @param hypotheses a text each
 * @param references of each hypothesis one text or several
 * @throws {RangeError | TypeError} if the two differ in number, or there are none
 */
export function corpusBleu(
  hypotheses: readonly string[],
  references: readonly (string | readonly string[])[],
): Bleu {
  if (hypotheses.length !== references.length || hypotheses.length === 0) {
    throw new RangeError(
      `corpusBleu: expected hypotheses and references of one number, got ${hypotheses.length} and ${references.length}`,
    )
  }
  const matches = new Float64Array(longest)
  const totals = new Float64Array(longest)
  let [hypothesisLength, referenceLength] = [0, 0]
  for (const [i, hypothesis] of hypotheses.entries()) {
    const tokens = tokensOf(hypothesis, i)
    const known = [references[i]].flat().map((text) => tokensOf(text as string, i))
    if (known.length === 0) throw new RangeError(`corpusBleu: hypothesis ${i} has no reference`)
    hypothesisLength += tokens.length
    referenceLength += nearest(
      tokens.length,
      known.map(({ length }) => length),
    )
    for (let n = 1; n <= longest; n++) {
      const limits = known.map((each) => countsOf(each, n))
      for (const [gram, count] of countsOf(tokens, n)) {
        const most = Math.max(...limits.map((counts) => counts.get(gram) ?? 0))
        matches[n - 1] += Math.min(count, most)
        totals[n - 1] += count
      }
    }
  }
  const precisions = smoothed(matches, totals)
  const isShort = hypothesisLength < referenceLength
  const brevityPenalty = !isShort
    ? 1
    : hypothesisLength === 0
      ? 0
      : Math.exp(1 - referenceLength / hypothesisLength)
  const mean = precisions.reduce((sum, p) => sum + Math.log(p), 0) / longest
  const score = matches[0] === 0 ? 0 : brevityPenalty * Math.exp(mean)
  return { score, precisions, brevityPenalty, hypothesisLength, referenceLength }
}

function tokensOf(text: string, index: number): string[] {
  if (typeof text !== 'string')
    throw new TypeError(`corpusBleu: expected texts, got ${describe(text)} at ${index}`)
  return text.match(/\S+/gu) ?? []
}

/** Of equally near lengths the shortest. */
function nearest(length: number, lengths: readonly number[]): number {
  const distance = (each: number) => Math.abs(each - length)
  return lengths.reduce((best, each) => {
    const difference = distance(each) - distance(best)
    return difference < 0 || (difference === 0 && each < best) ? each : best
  })
}

function countsOf(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let i = 0; i + n <= tokens.length; i++) {
    const gram = tokens.slice(i, i + n).join(' ')
    counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  return counts
}

/** In per cent, with the exponential smoothing of NIST's mteval; 0 where there is no n-gram at all. */
function smoothed(matches: Float64Array, totals: Float64Array): [number, number, number, number] {
  let divisor = 1
  const precisions = Array.from(totals, (total, n) => {
    if (total === 0) return 0
    if (matches[n] > 0) return (100 * matches[n]) / total
    divisor *= 2
    return 100 / (divisor * total)
  })
  return precisions as [number, number, number, number]
}
