/** Reading labels from the output of a model trained with `ctcLoss`: the most probable class of each step. */
import { refuseUnknownOptions } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { floats, requireBlank, requireLengths } from '../operations/common.ts'
import type { Tensor } from '../tensor.ts'

export interface CtcDecodeOptions {
  /** Steps of each sequence; default T. */
  lengths?: Int32Array
  /** The class that stands for no label; default 0. */
  blank?: number
}

/**
 * Takes the most probable class of each step, merges those that repeat and leaves out the blanks (best path decoding, Graves et
 * al. 2006). Of equally probable classes the first is taken.
 *
 * @param logits [B, T, C]; probabilities or their logarithms give the same
 * @returns the labels of each of B sequences
 * @throws {RangeError} if the logits hold NaN
 */
export function ctcGreedyDecode(logits: Tensor, options: CtcDecodeOptions = {}): number[][] {
  refuseUnknownOptions('ctcGreedyDecode', options, ['lengths', 'blank'])
  const { B, C, blank, stepsOf } = decoderInput('ctcGreedyDecode', logits, options)
  return Array.from({ length: B }, (_, b) => {
    const labels: number[] = []
    let before = blank
    const steps = stepsOf(b)
    requireNumbers('ctcGreedyDecode', b, steps)
    for (let start = 0; start < steps.length; start += C) {
      const best = largestAt(steps.subarray(start, start + C))
      if (best !== before && best !== blank) labels.push(best)
      before = best
    }
    return labels
  })
}

function largestAt(row: FloatArray): number {
  let best = 0
  for (let c = 1; c < row.length; c++) if (row[c] > row[best]) best = c
  return best
}

/** Throws a RangeError if there is NaN in what is decoded of sequence b: any label would be as good. */
export function requireNumbers(place: string, b: number, array: FloatArray): void {
  const odd = array.findIndex(Number.isNaN)
  if (odd < 0) return
  throw new RangeError(
    `${place}: the output of the model for sequence ${b} holds NaN; look for non-finite weights or inputs`,
  )
}

/** What both decoders read, checked; `stepsOf(b)` are the logits of a sequence's own steps. */
export function decoderInput(
  place: string,
  logits: Tensor,
  { lengths, blank = 0 }: CtcDecodeOptions,
): { B: number; C: number; blank: number; stepsOf(b: number): FloatArray } {
  if (logits.shape.length !== 3)
    throw new RangeError(`${place}: expected logits of shape [B, T, C], got [${logits.shape}]`)
  const [B, T, C] = logits.shape
  const [x] = floats(place, logits)
  requireBlank(place, blank, C)
  if (lengths) requireLengths(place, lengths, { B, T })
  const stepsOf = (b: number) => x.subarray(b * T * C, (b * T + (lengths ? lengths[b] : T)) * C)
  return { B, C, blank, stepsOf }
}
