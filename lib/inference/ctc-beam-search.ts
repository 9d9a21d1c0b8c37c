/** Prefix beam search over the output of a model trained with `ctcLoss` (Hannun, Maas, Jurafsky & Ng 2014). */
import { describe, refuseUnknownOptions, requireInteger } from '../errors.ts'
import { logAdd } from '../kernels/reference/ctc.ts'
import { softmaxForward } from '../kernels/reference/softmax.ts'
import type { Tensor } from '../tensor.ts'
import { type CtcDecodeOptions, decoderInput, requireNumbers } from './ctc-decoding.ts'

export interface CtcBeamSearchOptions extends CtcDecodeOptions {
  /** Prefixes kept after each step; default 16. */
  width?: number
  /**
   * What a language model, or a bonus for each label, adds to a prefix's score when a label is appended to it: for Hannun's
   * p_ctc·p_lm^α·|labels|^β about α·ln p(label | prefix) + β; -Infinity forbids it. Default: nothing is added.
   */
  score?: (prefix: readonly number[], label: number) => number
}

export interface CtcHypothesis {
  labels: number[]
  /** ln P(labels | logits), summed over the paths that the search kept: never more than the truth. */
  logProbability: number
  /** logProbability and all that `score` added. */
  score: number
}

/**
 * The most probable label sequences, all paths to each counted, where greedy decoding counts the best alone. With `width` of at
 * least the number of all prefixes the search is exact.
 *
 * @param logits [B, T, C]; logarithms of probabilities give the same, probabilities do not
 * @returns for each of B sequences at most `width` hypotheses, the best first; none if nothing is possible
 * @throws {RangeError} if `width` is not positive, or the logits or what `score` returns are no numbers
 */
export function ctcBeamSearch(logits: Tensor, options: CtcBeamSearchOptions = {}): CtcHypothesis[][] {
  const place = 'ctcBeamSearch'
  refuseUnknownOptions(place, options, ['lengths', 'blank', 'width', 'score'])
  const { width = 16, score } = options
  requireInteger(place, 'width', width)
  if (score !== undefined && typeof score !== 'function')
    throw new TypeError(`${place}: expected score to be a function, got ${describe(score)}`)
  const { B, C, blank, stepsOf } = decoderInput(place, logits, options)
  return Array.from({ length: B }, (_, b) => {
    const x = stepsOf(b)
    const logp = new Float64Array(x.length)
    softmaxForward({ N: x.length / C, C, log: true, x, y: logp })
    requireNumbers(place, b, logp)
    let beam = [new Prefix(undefined, blank, 0)]
    beam[0].inBlank = 0
    for (let start = 0; start < logp.length; start += C) {
      beam = advance(beam, logp.subarray(start, start + C), { blank, width, score })
    }
    return beam.map((prefix) => ({
      labels: prefix.labels(),
      logProbability: prefix.logProbability,
      score: prefix.score,
    }))
  })
}

/** A prefix of labels with the logarithms of what its paths sum to: those that end in a blank, and those that do not. */
class Prefix {
  inBlank = Number.NEGATIVE_INFINITY
  inLabel = Number.NEGATIVE_INFINITY
  /** The same after the step under way. */
  nextInBlank = Number.NEGATIVE_INFINITY
  nextInLabel = Number.NEGATIVE_INFINITY
  /** Those in the beam that are one label longer. */
  readonly longer = new Map<number, Prefix>()
  readonly parent: Prefix | undefined
  /** The last one. */
  readonly label: number
  /** What `score` added. */
  readonly bonus: number

  constructor(parent: Prefix | undefined, label: number, bonus: number) {
    this.parent = parent
    this.label = label
    this.bonus = bonus
  }

  get logProbability(): number {
    return logAdd(this.inBlank, this.inLabel)
  }

  get score(): number {
    return this.logProbability + this.bonus
  }

  labels(): number[] {
    const labels: number[] = []
    for (let prefix: Prefix = this; prefix.parent; prefix = prefix.parent) labels.push(prefix.label)
    return labels.reverse()
  }
}

/** The best prefixes after a step more. */
function advance(
  beam: readonly Prefix[],
  logp: Float64Array,
  { blank, width, score }: { blank: number; width: number; score: CtcBeamSearchOptions['score'] },
): Prefix[] {
  for (const prefix of beam) {
    prefix.longer.clear()
    prefix.nextInBlank = prefix.logProbability + logp[blank]
    prefix.nextInLabel = prefix.parent ? prefix.inLabel + logp[prefix.label] : Number.NEGATIVE_INFINITY
  }
  for (const prefix of beam) prefix.parent?.longer.set(prefix.label, prefix)
  const grown = [...beam]
  for (const prefix of beam) {
    const before = prefix.labels()
    for (let label = 0; label < logp.length; label++) {
      if (label === blank) continue
      // The same label again continues the last one, unless a blank stands between.
      const repeats = prefix.parent !== undefined && label === prefix.label
      const arriving = (repeats ? prefix.inBlank : prefix.logProbability) + logp[label]
      const known = prefix.longer.get(label)
      if (known) known.nextInLabel = logAdd(known.nextInLabel, arriving)
      else if (arriving > Number.NEGATIVE_INFINITY) {
        const longer = new Prefix(prefix, label, prefix.bonus + bonusOf(score, before, label))
        longer.nextInLabel = arriving
        grown.push(longer)
      }
    }
  }
  for (const prefix of grown) [prefix.inBlank, prefix.inLabel] = [prefix.nextInBlank, prefix.nextInLabel]
  return best(grown, width)
}

/** The `width` best of those that are possible, of equals the earlier ones. */
function best(prefixes: readonly Prefix[], width: number): Prefix[] {
  const scored = prefixes.map((prefix) => ({ prefix, score: prefix.score }))
  const possible = scored.filter(({ score }) => score > Number.NEGATIVE_INFINITY)
  possible.sort((a, b) => (a.score === b.score ? 0 : b.score - a.score))
  return possible.slice(0, width).map(({ prefix }) => prefix)
}

function bonusOf(score: CtcBeamSearchOptions['score'], before: readonly number[], label: number): number {
  if (!score) return 0
  const bonus = score(before, label)
  if (typeof bonus === 'number' && !Number.isNaN(bonus)) return bonus
  throw new RangeError(
    `ctcBeamSearch: expected score([${before}], ${label}) to be a number, got ${describe(bonus)}`,
  )
}
