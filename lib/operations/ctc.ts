/** Connectionist temporal classification: a loss for targets that say what comes in a sequence, but not when. */
import { giveBuffer, takeBuffer } from '../buffers.ts'
import { describe, refuseUnknownOptions } from '../errors.ts'
import type { CtcLoss } from '../kernels/contract-ctc.ts'
import { kernelsFor } from '../kernels/index.ts'
import { needsGradient, outputBuffer, recordOne } from '../tape.ts'
import { Tensor } from '../tensor.ts'
import { floats, requireBlank, requireLengths } from './common.ts'

export interface CtcLossOptions {
  /** Steps of each sequence; default T. */
  lengths?: Int32Array
  /** Labels of each target, the rest of its row being padding; default S. */
  targetLengths?: Int32Array
  /** The class that stands for no label; default 0. */
  blank?: number
  /**
   * 'mean' (default): of each sequence's loss divided by the number of its labels, at least 1; 'sum'; 'none': a loss for each
   * sequence, [B].
   */
  reduction?: 'mean' | 'sum' | 'none'
  /** Whether a target that no path leads to counts with a loss and a gradient of 0; default false. */
  zeroInfinity?: boolean
}

/**
 * -ln P(target | logits), P being the sum over all ways to spread the labels over the steps: each step gives a class of
 * softmax(logits) or blank, repeated classes count once, and between two equal labels there is a blank (Graves, Fernández,
 * Gomez & Schmidhuber 2006). Agrees with torch.nn.CTCLoss after log_softmax; of logarithms of probabilities it is the same,
 * since their softmax are they themselves. Computed with logarithms in double.
 *
 * Made for `fit`: with a data set that has `targetLengths`, it is called with those and the lengths of the sequences.
 *
 * @param logits [B, T, C], C classes, one of which is the blank
 * @param target [B, S] int32, labels in [0, C) without the blank; what stands past a target's length is not looked at
 * @returns a scalar, or [B] with reduction 'none'
 * @throws {RangeError} if a label is outside [0, C) or the blank, or, unless `zeroInfinity`, a sequence has fewer steps than
 *   its target needs: one for each label and one for each blank between equal neighbours
 */
export function ctcLoss(logits: Tensor, target: Tensor, options: CtcLossOptions = {}): Tensor {
  const { reduction, zeroInfinity, ...call } = checkedCall(logits, target, options)
  const { B, T, C, targetLengths } = call
  const x = call.logits
  const kernels = kernelsFor(x)
  const losses = takeBuffer(x, B)
  const dlogits = needsGradient([logits]) ? takeBuffer(x, x.length) : undefined
  kernels.ctcLoss({ ...call, losses, dlogits })
  const weightOf = (b: number): number => (reduction === 'mean' ? 1 / (B * Math.max(targetLengths[b], 1)) : 1)
  const y = outputBuffer(x, reduction === 'none' ? B : 1)
  let total = 0
  for (let b = 0; b < B; b++) {
    if (zeroInfinity && losses[b] === Number.POSITIVE_INFINITY) losses[b] = 0
    total += weightOf(b) * losses[b]
  }
  if (reduction === 'none') y.set(losses)
  else y[0] = total
  giveBuffer(losses)
  return recordOne('ctcLoss', [logits], reduction === 'none' ? [B] : [], y, (dy, gradientOf) => {
    const dx = gradientOf(logits)!
    for (let b = 0; b < B; b++) {
      const [start, end] = [b * T * C, (b + 1) * T * C]
      const upstream = reduction === 'none' ? dy[b] : dy[0]
      kernels.axpy(upstream * weightOf(b), dlogits!.subarray(start, end), dx.subarray(start, end))
    }
    giveBuffer(dlogits!)
  })
}

type CheckedCall = Omit<CtcLoss, 'losses' | 'dlogits'> &
  Required<Pick<CtcLossOptions, 'reduction' | 'zeroInfinity'>>

function checkedCall(logits: Tensor, target: Tensor, options: CtcLossOptions): CheckedCall {
  const place = 'ctcLoss'
  refuseUnknownOptions(place, options, ['lengths', 'targetLengths', 'blank', 'reduction', 'zeroInfinity'])
  const { blank = 0, reduction = 'mean', zeroInfinity = false } = options
  if (!['mean', 'sum', 'none'].includes(reduction))
    throw new TypeError(`${place}: expected reduction 'mean', 'sum' or 'none', got ${describe(reduction)}`)
  if (typeof zeroInfinity !== 'boolean')
    throw new TypeError(`${place}: expected zeroInfinity to be true or false, got ${describe(zeroInfinity)}`)
  if (logits.shape.length !== 3) {
    throw new RangeError(`${place}: expected logits of shape [B, T, C], got [${logits.shape}]`)
  }
  const [B, T, C] = logits.shape
  requireBlank(place, blank, C)
  if (
    !(target instanceof Tensor) ||
    !(target.array instanceof Int32Array) ||
    target.shape.length !== 2 ||
    target.shape[0] !== B
  ) {
    const got = target instanceof Tensor ? `${target.dataType} [${target.shape}]` : describe(target)
    throw new RangeError(
      `${place}: expected target to be int32 [${B}, S] for logits [${logits.shape}], got ${got}`,
    )
  }
  const [x] = floats(place, logits)
  const S = target.shape[1]
  const { lengths: inputLengths = new Int32Array(B).fill(T), targetLengths = new Int32Array(B).fill(S) } =
    options
  requireLengths(place, inputLengths, { B, T })
  requireLengths(`${place}: targetLengths`, targetLengths, { B, T: S })
  const targets = target.array
  for (let b = 0; b < B; b++) {
    const labels = targets.subarray(b * S, b * S + targetLengths[b])
    requireLabels(place, labels, { b, blank, C })
    if (!zeroInfinity) requireSteps(place, labels, { b, steps: inputLengths[b] })
  }
  return { B, T, C, S, logits: x, targets, inputLengths, targetLengths, blank, reduction, zeroInfinity }
}

function requireLabels(
  place: string,
  labels: Int32Array,
  { b, blank, C }: { b: number; blank: number; C: number },
): void {
  const odd = labels.findIndex((label) => label < 0 || label >= C || label === blank)
  if (odd < 0) return
  throw new RangeError(
    `${place}: expected the labels of target ${b} in [0, ${C - 1}] and none to be the blank, ${blank}; ` +
      `label ${odd} is ${labels[odd]}`,
  )
}

function requireSteps(place: string, labels: Int32Array, { b, steps }: { b: number; steps: number }): void {
  const repeats = labels.reduce((sum, label, i) => sum + Number(i > 0 && label === labels[i - 1]), 0)
  const needed = labels.length + repeats
  if (needed <= steps) return
  throw new RangeError(
    `${place}: sequence ${b} has ${steps} steps, but its target of ${labels.length} labels, ${repeats} of which repeat the ` +
      `one before, takes at least ${needed}: its loss is infinite. Keep more steps, leave the sequence out, or set ` +
      'zeroInfinity to have it ignored',
  )
}
