/** Plans, step by step through the other reference kernels: what a native plan must agree with. */
import type { CompiledPlan, FloatArray, PlanLstm, PlanStep, RunPlan } from '../contract.ts'
import { lengthsAfter, type Sized, sizeSteps, stepsAfter } from '../plan-widths.ts'
import { windowsOver } from '../windows.ts'
import { conv1dForward } from './convolution.ts'
import { embeddingForward } from './embedding.ts'
import { linearForward } from './linear.ts'
import { lstmForward } from './lstm-forward.ts'
import { layerNormForward } from './normalization.ts'
import { unaryForward } from './pointwise.ts'
import { pool1dForward } from './pooling.ts'
import { softmaxForward } from './softmax.ts'

interface ReferencePlan extends CompiledPlan {
  sized: readonly Sized[]
}

/** The parameters are copied: a plan is frozen. */
export function compilePlan(steps: readonly PlanStep[]): ReferencePlan {
  return sizeSteps(structuredClone(steps))
}

/** What a step runs on. */
interface Rows extends Pick<RunPlan, 'B' | 'T' | 'lengths' | 'initialState'> {
  x: FloatArray | Int32Array
  y: FloatArray
  finalState: FloatArray
  stateWidth: number
}

export function runPlan({ plan, B, T, x, y, lengths, initialState, finalState }: RunPlan): void {
  const { sized, stateWidth } = plan as ReferencePlan
  const final = finalState ?? floatsLike(y, B * stateWidth)
  for (const [i, each] of sized.entries()) {
    const after = stepsAfter(each, T)
    const output = i === sized.length - 1 ? y : floatsLike(y, B * after * each.output)
    runStep(each, { B, T, x, y: output, lengths, initialState, finalState: final, stateWidth })
    lengths = lengthsAfter(each.step, lengths)
    T = after
    x = output
  }
}

function runStep({ step, input, output, state }: Sized, rows: Rows): void {
  const { B, T, y } = rows
  const N = B * T
  if (step.kind === 'embedding') {
    embeddingForward({ N, E: step.E, indices: rows.x as Int32Array, weight: step.weight, y })
    return
  }
  const x = (rows.x as FloatArray).subarray(0, N * input)
  switch (step.kind) {
    case 'lstm':
      runLstm(step, state, rows)
      break
    case 'linear':
      linearForward({ N, I: input, O: output, x, weight: step.weight, bias: step.bias, y })
      break
    case 'layerNorm': {
      const { F, gain, shift, eps } = step
      const [mean, rstd] = [floatsLike(y, N), floatsLike(y, N)]
      layerNormForward({ N, F, x, gain, shift, eps, y, mean, rstd })
      break
    }
    case 'softmax':
      softmaxForward({ N, C: input, log: step.log, x, y })
      break
    case 'unary':
      unaryForward(step.function, x, y, step.alpha, step.beta)
      break
    case 'conv1d':
      conv1dForward({ ...step, ...windowsOver(T, step), B, x, y })
      break
    case 'pool1d': {
      const windows = windowsOver(T, { dilation: 1, ...step })
      pool1dForward(step.function, { ...windows, B, C: input, countPadding: step.countPadding, x, y })
      break
    }
    case 'globalPool1d': {
      const windows = { T, S: 1, size: T, stride: 1, dilation: 1, before: 0 }
      const mask = rows.lengths && validSteps(rows.lengths, T)
      pool1dForward(step.function, { ...windows, B, C: input, mask, countPadding: false, x, y })
      break
    }
    case 'flatten':
      y.set(x)
      break
    case 'reverse':
      reverseRows(rows, x, input)
      break
    case 'lastStep':
      takeLastSteps(rows, x, input)
  }
}

function takeLastSteps({ B, T, lengths, y }: Rows, x: FloatArray, F: number): void {
  for (let b = 0; b < B; b++) {
    const last = (lengths ? lengths[b] : T) - 1
    const row = (b * T + last) * F
    if (last < 0) y.fill(0, b * F, (b + 1) * F)
    else y.set(x.subarray(row, row + F), b * F)
  }
}

/** [B·T]: 1 at each step before the sequence's length. */
function validSteps(lengths: Int32Array, T: number): Uint8Array {
  const mask = new Uint8Array(lengths.length * T)
  for (const [b, length] of lengths.entries()) mask.fill(1, b * T, b * T + length)
  return mask
}

function reverseRows({ B, T, lengths, y }: Rows, x: FloatArray, F: number): void {
  for (let b = 0; b < B; b++) {
    const end = lengths ? lengths[b] : T
    for (let t = 0; t < T; t++) {
      const row = (b * T + (t < end ? end - 1 - t : t)) * F
      y.set(x.subarray(row, row + F), (b * T + t) * F)
    }
  }
}

/** The kernel's states are dense, [B, R] and [B, H]; a plan's are parts of a row: copied in and out. */
function runLstm(step: PlanLstm, state: number, rows: Rows): void {
  const { B, T, lengths, initialState, finalState, stateWidth } = rows
  const { I, H, P, layerNorm, directions, zoneoutCell, zoneoutHidden, eps } = step
  const R = P || H
  const D = directions.length
  for (const [d, { reverse, parameters }] of directions.entries()) {
    const hn = floatsLike(rows.y, B * R)
    const cn = floatsLike(rows.y, B * H)
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
    const options = { layerNorm, reverse, lengths, parameters, zoneoutCell, zoneoutHidden, eps }
    lstmForward([{ B, T, I, H, P, ...options, ...x, ...y, h0: hn, c0: cn, hn, cn }])
    for (const { dense, width, first } of parts) {
      for (let b = 0; b < B; b++) {
        finalState.set(dense.subarray(b * width, (b + 1) * width), b * stateWidth + first)
      }
    }
  }
}

function floatsLike(like: FloatArray, length: number): FloatArray {
  return like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
}
