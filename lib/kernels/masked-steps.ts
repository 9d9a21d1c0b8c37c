/**
 * Steps that do not count, anywhere in a sequence. An LSTM that keeps h and c at such a step does what it would do if the
 * step were not there: so the others are moved together, and the results put back where they belong.
 */

export interface MaskedSteps {
  B: number
  T: number
  /** Steps of the shortened sequences: one more than any of them keeps, so that each ends with a row of zeros. */
  M: number
  /** [B] steps that each keeps */
  counts: Int32Array
  /** [B, M] the row of [B·T] that moves there; past the count any, since nobody reads it */
  kept: Int32Array
  /** Those of [B·T] that count. */
  isKept(b: number, t: number): boolean
}

/**
 * @param mask [B·T], 0 where a step does not count
 * @param lengths steps past them do not count either
 */
export function maskedSteps(
  mask: Uint8Array,
  { B, T, lengths }: { B: number; T: number; lengths?: Int32Array },
): MaskedSteps {
  const isKept = (b: number, t: number) => mask[b * T + t] !== 0 && t < (lengths ? lengths[b] : T)
  const counts = new Int32Array(B)
  for (let b = 0; b < B; b++) for (let t = 0; t < T; t++) if (isKept(b, t)) counts[b]++
  const M = 1 + counts.reduce((most, count) => Math.max(most, count), 0)
  const kept = new Int32Array(B * M)
  for (let b = 0; b < B; b++) {
    let m = 0
    for (let t = 0; t < T; t++) if (isKept(b, t)) kept[b * M + m++] = b * T + t
  }
  return { B, T, M, counts, kept, isKept }
}

/**
 * [B, T, D]: for each step and direction the row of the shortened results [B·M·D] that it gets. A step that does not count
 * gets that of the step read before it, or zeros where there is none, where it is padding, or with `zeroMasked`.
 *
 * @param reverse whether each direction reads backwards
 */
export function restoredRows(
  { B, T, M, counts, isKept }: MaskedSteps,
  {
    reverse,
    zeroMasked,
    lengths,
  }: { reverse: readonly boolean[]; zeroMasked: boolean; lengths?: Int32Array },
): Int32Array {
  const D = reverse.length
  const rows = new Int32Array(B * T * D)
  for (let b = 0; b < B; b++) {
    const zeros = counts[b]
    let before = 0
    for (let t = 0; t < T; t++) {
      const isHere = isKept(b, t)
      const isPadding = t >= (lengths ? lengths[b] : T)
      for (const [d, isBackward] of reverse.entries()) {
        const repeated = isBackward ? before : before > 0 ? before - 1 : zeros
        const m = isHere ? before : isPadding || zeroMasked ? zeros : repeated
        rows[(b * T + t) * D + d] = (b * M + m) * D + d
      }
      if (isHere) before++
    }
  }
  return rows
}

/** [B]: one past the last step that counts, 0 where none does. */
export function endsOf(
  mask: Uint8Array,
  { B, T, lengths }: { B: number; T: number; lengths?: Int32Array },
): Int32Array {
  return Int32Array.from({ length: B }, (_, b) => {
    let end = lengths ? lengths[b] : T
    while (end > 0 && mask[b * T + end - 1] === 0) end--
    return end
  })
}
