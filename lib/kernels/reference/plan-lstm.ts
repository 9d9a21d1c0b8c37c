/** The LSTM step of a plan: masks, both directions, and what becomes of their outputs, around the kernel. */
import type { DirectionMerge, FloatArray, PlanLstm } from '../contract.ts'
import { maskedSteps, restoredRows } from '../masked-steps.ts'
import { embeddingForward } from './embedding.ts'
import { zerosLike } from './lstm-common.ts'
import { lstmForward } from './lstm-forward.ts'
import type { Rows } from './plan.ts'

export function runLstm(step: PlanLstm, state: number, rows: Rows): void {
  const { B, lengths, mask } = rows
  const { I, H, P, merge, returnSequences } = step
  const D = step.directions.length
  const R = P || H
  const steps = mask && mask.length > 0 ? maskedSteps(mask, { B, T: rows.T, lengths }) : undefined
  const T = steps ? steps.M : rows.T
  const x = steps ? rowsOf(steps.kept, rows.x as FloatArray, I) : (rows.x as FloatArray)
  let y = zerosLike(rows.y, B * T * D * R)
  runDirections(step, state, { ...rows, T, x, y, lengths: steps ? steps.counts : lengths })
  if (!returnSequences) {
    const { finalState, stateWidth } = rows
    y = zerosLike(rows.y, B * D * R)
    for (let b = 0; b < B; b++) {
      const row = b * stateWidth + state
      y.set(finalState.subarray(row, row + D * R), b * D * R)
    }
  } else if (steps) {
    const { zeroMasked, directions } = step
    const reverse = directions.map((each) => each.reverse)
    y = rowsOf(restoredRows(steps, { reverse, zeroMasked, lengths }), y, R)
  }
  mergeRows(merge, y, rows.y, R)
}

/** The kernel's states are dense, [B, R] and [B, H]; a plan's are parts of a row: copied in and out. */
function runDirections(step: PlanLstm, state: number, rows: Rows): void {
  const { B, T, lengths, initialState, finalState, stateWidth } = rows
  const { I, H, P, layerNorm, directions, zoneoutCell, zoneoutHidden, eps } = step
  const R = P || H
  const D = directions.length
  for (const [d, { reverse, variant, parameters }] of directions.entries()) {
    const hn = zerosLike(rows.y, B * R)
    const cn = zerosLike(rows.y, B * H)
    const parts = [
      { dense: hn, width: R, first: state + d * R },
      { dense: cn, width: H, first: state + D * R + d * H },
    ]
    for (const { dense, width, first } of parts) {
      for (let b = 0; initialState && b < B; b++) {
        const row = b * stateWidth + first
        dense.set(initialState.subarray(row, row + width), b * width)
      }
    }
    const x = { x: rows.x as FloatArray, xBatchStride: T * I, xTimeStride: I }
    const y = { y: rows.y.subarray(d * R), yBatchStride: T * D * R, yTimeStride: D * R }
    const options = { layerNorm, reverse, variant, lengths, parameters, zoneoutCell, zoneoutHidden, eps }
    lstmForward([{ B, T, I, H, P, ...options, ...x, ...y, h0: hn, c0: cn, hn, cn }])
    for (const { dense, width, first } of parts) {
      for (let b = 0; b < B; b++) {
        finalState.set(dense.subarray(b * width, (b + 1) * width), b * stateWidth + first)
      }
    }
  }
}

/** The rows of `from`, E wide, that the indices name. */
function rowsOf(indices: Int32Array, from: FloatArray, E: number): FloatArray {
  const y = zerosLike(from, indices.length * E)
  embeddingForward({ N: indices.length, E, indices, weight: from, y })
  return y
}

/** y[n] = the two rows of x that stand side by side at n, made one; or x itself. */
function mergeRows(merge: DirectionMerge, x: FloatArray, y: FloatArray, R: number): void {
  if (merge === 'concat') {
    y.set(x)
    return
  }
  for (let n = 0; n < x.length / (2 * R); n++) {
    for (let r = 0; r < R; r++) {
      const first = x[n * 2 * R + r]
      const second = x[n * 2 * R + R + r]
      y[n * R + r] = merge === 'mul' ? first * second : first + second
      if (merge === 'average') y[n * R + r] *= 0.5
    }
  }
}
