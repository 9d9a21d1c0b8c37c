/** What the network hears in strings, and how much of it is wrong. */
import { ctcBeamSearch, ctcGreedyDecode, noGrad, type Sequential, wordErrorRate } from 'lstm-native'
import { type DigitString, digitOf, type Ear, stringSet, textOf } from './strings.ts'

export interface Heard {
  string: DigitString
  greedy: number[]
  /** By prefix beam search, the best first. */
  hypotheses: { digits: number[]; logProbability: number }[]
  /** The logits [T, 11]. */
  logits: number[][]
}

export function hear(model: Sequential, strings: readonly DigitString[], ear: Ear): Heard[] {
  return noGrad(() =>
    strings.map((string) => {
      const { x } = stringSet([string], ear).batch([0])
      const logits = model.forward(x)
      const [greedy] = ctcGreedyDecode(logits)
      const [hypotheses] = ctcBeamSearch(logits)
      return {
        string,
        greedy: greedy.map(digitOf),
        hypotheses: hypotheses.map(({ labels, logProbability }) => ({
          digits: labels.map(digitOf),
          logProbability,
        })),
        logits: (logits.toArray() as number[][][])[0],
      }
    }),
  )
}

export function best({ hypotheses }: Heard): readonly number[] {
  return hypotheses[0].digits
}

/** In percent. */
export function errorRate(heard: readonly Heard[], digitsOf: (one: Heard) => readonly number[]): number {
  const said = heard.map(({ string }) => textOf(string.digits))
  return (
    100 *
    wordErrorRate(
      said,
      heard.map((one) => textOf(digitsOf(one))),
    ).rate
  )
}
