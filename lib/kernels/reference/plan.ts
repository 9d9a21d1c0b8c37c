/** Plans, step by step through the other reference kernels: what a native plan must agree with. */
import type { CompiledPlan, FloatArray, PlanStep, RunPlan } from '../contract.ts'
import { endsOf } from '../masked-steps.ts'
import { changesSteps, lengthsAfter, type Sized, sizeSteps, stepsAfter } from '../plan-widths.ts'
import { windowsOver } from '../windows.ts'
import { batchNormForward } from './batch-norm.ts'
import { conv1dForward } from './convolution.ts'
import { embeddingForward } from './embedding.ts'
import { linearForward } from './linear.ts'
import { zerosLike } from './lstm-common.ts'
import { layerNormForward } from './normalization.ts'
import { runAttention } from './plan-attention.ts'
import { runConv2d, runGlobalPool2d, runPool2d } from './plan-images.ts'
import { runLstm } from './plan-lstm.ts'
import { unaryForward } from './pointwise.ts'
import { pool1dForward } from './pooling.ts'
import { softmaxForward } from './softmax.ts'

export interface ReferencePlan extends CompiledPlan {
  sized: readonly Sized[]
}

/** The parameters are copied, a plan is frozen, into memory that threads can share. */
export function compilePlan(steps: readonly PlanStep[]): ReferencePlan {
  return sizeSteps(sharedCopy(steps))
}

function sharedCopy<Value>(value: Value): Value {
  if (value instanceof Float32Array || value instanceof Float64Array) {
    const memory = new SharedArrayBuffer(value.byteLength)
    const copy = value instanceof Float32Array ? new Float32Array(memory) : new Float64Array(memory)
    copy.set(value)
    return copy as Value
  }
  if (Array.isArray(value)) return value.map(sharedCopy) as Value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, sharedCopy(each)])) as Value
}

/** What a step runs on. */
export interface Rows extends Pick<RunPlan, 'B' | 'T' | 'lengths' | 'mask' | 'initialState'> {
  x: FloatArray | Int32Array
  y: FloatArray
  finalState: FloatArray
  stateWidth: number
}

/** A run of as many time steps for every sequence, with states given side by side. */
export function runDense({ plan, B, T, x, y, lengths, mask, initialState, finalState }: RunPlan): void {
  const { sized, stateWidth } = plan as ReferencePlan
  const final = finalState ?? zerosLike(y, B * stateWidth)
  for (const [i, each] of sized.entries()) {
    const after = stepsAfter(each, T)
    const output = i === sized.length - 1 ? y : zerosLike(y, B * after * each.output)
    if (each.step.kind === 'embedding' && each.step.maskZero) mask = maskOf(x, { width: 1, value: 0 })
    if (each.step.kind === 'masking') mask = maskOf(x, { width: each.input, value: each.step.value })
    runStep(each, { B, T, x, y: output, lengths, mask, initialState, finalState: final, stateWidth })
    mask = mask && maskAfter(each.step, mask, { B, T, lengths })
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
      const [mean, rstd] = [zerosLike(y, N), zerosLike(y, N)]
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
    case 'affine': {
      const { scale: gain, shift } = step
      const C = gain.length
      const [mean, variance] = [zerosLike(y, C), zerosLike(y, C).fill(1)]
      batchNormForward({ N: x.length / C, C, x, mean, variance, gain, shift, eps: 0, y })
      break
    }
    case 'attention':
      runAttention(step, validSteps(rows), rows, x)
      break
    case 'conv2d':
      runConv2d(step, rows, x)
      break
    case 'pool2d':
      runPool2d(step, rows, x)
      break
    case 'globalPool2d':
      runGlobalPool2d(step, validSteps(step.function === 'max' ? { ...rows, mask: undefined } : rows), {
        ...rows,
        x,
      })
      break
    case 'globalPool1d': {
      const windows = { T, S: 1, size: T, stride: 1, dilation: 1, before: 0 }
      const mask = validSteps(step.function === 'max' ? { ...rows, mask: undefined } : rows)
      pool1dForward(step.function, { ...windows, B, C: input, mask, countPadding: false, x, y })
      break
    }
    case 'flatten':
      y.set(x)
      break
    case 'reverse':
      reverseRows(rows, x, input)
      break
    case 'masking':
      y.set(x)
      for (let n = 0; n < N; n++) if (rows.mask![n] === 0) y.fill(0, n * input, (n + 1) * input)
      break
    case 'lastStep':
      takeLastSteps(rows, x, input)
  }
}

/** 1 for each row of x that is not `value` throughout. */
function maskOf(x: FloatArray | Int32Array, { width, value }: { width: number; value: number }): Uint8Array {
  const exact = x instanceof Float32Array ? Math.fround(value) : value
  return Uint8Array.from({ length: x.length / width }, (_, n) =>
    Number(x.subarray(n * width, (n + 1) * width).some((each) => each !== exact)),
  )
}

function takeLastSteps({ B, T, lengths, mask, y }: Rows, x: FloatArray, F: number): void {
  const ends = mask ? endsOf(mask, { B, T, lengths }) : lengths
  for (let b = 0; b < B; b++) {
    const last = (ends ? ends[b] : T) - 1
    const row = (b * T + last) * F
    if (last < 0) y.fill(0, b * F, (b + 1) * F)
    else y.set(x.subarray(row, row + F), b * F)
  }
}

/** [B·T]: 1 at each step that counts; undefined where all do. */
function validSteps({ B, T, lengths, mask }: Rows): Uint8Array | undefined {
  if (!lengths) return mask
  const valid = new Uint8Array(B * T)
  for (const [b, length] of lengths.entries()) {
    for (let t = 0; t < length; t++) valid[b * T + t] = mask ? mask[b * T + t] : 1
  }
  return valid
}

/** The mask that belongs to a step's output. */
function maskAfter(
  step: PlanStep,
  mask: Uint8Array,
  { B, T, lengths }: Pick<Rows, 'B' | 'T' | 'lengths'>,
): Uint8Array | undefined {
  if (changesSteps(step)) return undefined
  if (step.kind !== 'reverse' || step.keepMask) return mask
  const turned = mask.slice()
  for (let b = 0; b < B; b++) turned.subarray(b * T, b * T + (lengths ? lengths[b] : T)).reverse()
  return turned
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
