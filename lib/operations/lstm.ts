/**
 * One LSTM layer over a window of T steps, with one or two directions: one kernel call forward, one backward.
 * Layers, their options and the random masks are layers/lstm.ts.
 */
import { giveBuffer, takeBuffer } from '../buffers.ts'
import type { FloatArray, LstmBackward, LstmForward, LstmShape, LstmVariant } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { needsGradient, outputBuffer, record } from '../tape.ts'
import { Tensor } from '../tensor.ts'
import { floats, requireLengths, requireShape } from './common.ts'
import { arraysOf, mapWeights, packedFor, weightNames } from './lstm-weights.ts'

/** The parameters of one direction; what is left out drops out of the equations of `lstm`. */
export interface LstmWeights {
  /** [4H, I], gates as blocks of rows in the order i, f, g, o */
  weightIh: Tensor
  /** [4H, R] */
  weightHh: Tensor
  /** [4H] */
  biasIh?: Tensor
  /** [4H] */
  biasHh?: Tensor
  /** [P, H], projection (Sak et al. 2014) */
  weightHr?: Tensor
  /** [3, H] in the order i, f, o (Gers & Schmidhuber 2000) */
  peephole?: Tensor
  /** [4H] gain of the normalised x·W_ihᵀ */
  normIh?: Tensor
  /** [4H] gain of the normalised h·W_hhᵀ */
  normHh?: Tensor
  /** [2, H] gain and shift of the normalised cell */
  normCell?: Tensor
}

/** Masks are constants: no gradient flows into them. D is the number of directions. */
export interface LstmCall {
  /** One entry, or two: the second reads the sequences from their last valid step to their first. */
  directions: readonly LstmWeights[]
  /** Whether a single direction reads backwards; y keeps the order of x. Default false. */
  reverse?: boolean
  /** What each direction has instead of σ, tanh and tanh, made by `lstmVariant`; default the standard cell. */
  variants?: readonly (LstmVariant | undefined)[]
  /** [D, B, R], default zeros */
  h0?: Tensor
  /** [D, B, H], default zeros */
  c0?: Tensor
  /** Valid steps of each sequence, in [0, T]; default T */
  lengths?: Int32Array
  /** [D, B, R], multiplies h[t-1] inside the gates (Gal & Ghahramani 2016) */
  recurrentMask?: Tensor
  /** [D, B, T, R] of 0 and 1, where 1 keeps the previous h, or one number in [0, 1] (Krueger et al. 2017) */
  zoneoutHidden?: Tensor | number
  /** [D, B, T, H], or one number: likewise for c */
  zoneoutCell?: Tensor | number
  /** Inside the square roots of layer normalisation; default 1e-5 */
  eps?: number
}

/**
 *     m = h[t-1]∘recurrentMask;   a = LN(x[t]·W_ihᵀ) + b_ih + LN(m·W_hhᵀ) + b_hh
 *     i, f = σ(a_i + p_i∘c[t-1]), σ(a_f + p_f∘c[t-1]);   g = tanh(a_g);   ĉ = f∘c[t-1] + i∘g
 *     o = σ(a_o + p_o∘ĉ);   ĥ = W_hr·(o∘tanh(LN(ĉ)))
 *     c[t] = z_c∘c[t-1] + (1 - z_c)∘ĉ;   h[t] = z_h∘h[t-1] + (1 - z_h)∘ĥ
 *
 * and with `variants` other functions in the place of σ and tanh, bounds for the sums, or f = 1 - i.
 *
 * Agrees with torch.nn.LSTM (batch_first) where that has the option; kernels/contract.ts holds the details. Padded
 * steps change nothing and their output is 0.
 *
 * @param x [B, T, I]
 * @returns output [B, T, D·R], the directions side by side; hn [D, B, R] and cn [D, B, H], the state after the last
 *   step read
 * @throws {RangeError} if a shape or a length does not fit
 */
export function lstm(x: Tensor, call: LstmCall): { output: Tensor; hn: Tensor; cn: Tensor } {
  const shape = shapeOf(x, call)
  const { B, T, I, H, P } = shape
  const R = P || H
  const D = call.directions.length
  const inputs = [x, call.h0, call.c0, ...call.directions.flatMap((direction) => Object.values(direction))]
  const masks = [call.recurrentMask, call.zoneoutHidden, call.zoneoutCell]
  const [xs] = floats('lstm', ...[...inputs, ...masks].filter((each) => each instanceof Tensor))
  const kernels = kernelsFor(xs)
  const tracked = needsGradient(inputs)
  const lengths = call.lengths?.slice()

  const y = outputBuffer(xs, B * T * D * R)
  const hn = outputBuffer(xs, D * B * R)
  const cn = outputBuffer(xs, D * B * H)
  const part = (of: Tensor | undefined, size: number, d: number) =>
    of && rows(of.array as FloatArray, size, d)
  const zoneout = (of: Tensor | number | undefined, size: number, d: number) =>
    typeof of === 'number' ? of : part(of, size, d)
  // Written out, not spread from `shape`: V8 makes a new hidden class for each object that gains properties after a
  // spread (Node 20: 80 µs and 4 KB a call, which outlive minor collections).
  const calls = call.directions.map(
    (weights, d): DirectionCall => ({
      B,
      T,
      I,
      H,
      P,
      layerNorm: shape.layerNorm,
      reverse: d === 1 || call.reverse === true,
      variant: call.variants?.[d],
      lengths,
      parameters: arraysOf(weights),
      packed: packedFor('forward', weights, shape, kernels),
      x: xs,
      xBatchStride: T * I,
      xTimeStride: I,
      h0: part(call.h0, B * R, d),
      c0: part(call.c0, B * H, d),
      recurrentMask: part(call.recurrentMask, B * R, d),
      zoneoutHidden: zoneout(call.zoneoutHidden, B * T * R, d),
      zoneoutCell: zoneout(call.zoneoutCell, B * T * H, d),
      eps: call.eps ?? 1e-5,
      y: y.subarray(d * R),
      yBatchStride: T * D * R,
      yTimeStride: D * R,
      hn: rows(hn, B * R, d),
      cn: rows(cn, B * H, d),
      cache: tracked ? takeBuffer(xs, kernels.lstmCacheLength(shape)) : undefined,
      dy: undefined,
      dhn: undefined,
      dcn: undefined,
      dx: undefined,
      dh0: undefined,
      dc0: undefined,
      dparameters: {},
    }),
  )
  kernels.lstmForward(calls)

  const outputs = [
    { shape: [B, T, D * R], array: y },
    { shape: [D, B, R], array: hn },
    { shape: [D, B, H], array: cn },
  ]
  const [output, hidden, cell] = record('lstm', inputs, outputs, ([dy, dhn, dcn], gradientOf) => {
    const gradient = (of: Tensor | undefined) => of && gradientOf(of)
    const dh0 = gradient(call.h0)
    const dc0 = gradient(call.c0)
    const dx = gradient(x)
    for (const [d, each] of calls.entries()) {
      each.dy = dy?.subarray(d * R)
      each.dhn = dhn && rows(dhn, B * R, d)
      each.dcn = dcn && rows(dcn, B * H, d)
      // Looked up anew: the backward pass reads the weights as they are when it runs.
      each.parameters = arraysOf(call.directions[d])
      each.packed = packedFor(dx ? 'backwardToInput' : 'backward', call.directions[d], shape, kernels)
      each.dx = dx
      each.dh0 = dh0 && rows(dh0, B * R, d)
      each.dc0 = dc0 && rows(dc0, B * H, d)
      each.dparameters = mapWeights(call.directions[d], gradient)
    }
    kernels.lstmBackward(calls as (DirectionCall & { cache: FloatArray })[])
    for (const { cache } of calls) giveBuffer(cache!)
  })
  return { output, hn: hidden, cn: cell }
}

/** Forward and backward of one direction in one object: what the backward adds is filled in when it runs. */
type DirectionCall = LstmForward & Omit<LstmBackward, 'cache'>

/** The sizes a call implies, once everything else is seen to agree with them. */
function shapeOf(x: Tensor, call: LstmCall): LstmShape {
  if (x.shape.length !== 3) throw new RangeError(`lstm: expected x of shape [B, T, I], got [${x.shape}]`)
  const [B, T, I] = x.shape
  const { directions, lengths } = call
  const D = directions.length
  if (D !== 1 && D !== 2) throw new RangeError(`lstm: expected one or two directions, got ${D}`)
  if (D === 2 && call.reverse) throw new TypeError('lstm: expected reverse with one direction, got two')
  if (call.variants && call.variants.length !== D) {
    throw new RangeError(`lstm: expected a variant for each of ${D} directions, got ${call.variants.length}`)
  }
  const [{ weightHh, weightHr, normIh }] = directions
  const H = weightHh.shape[0] / 4
  const P = weightHr?.shape[0] ?? 0
  const R = P || H
  const expected: Record<keyof LstmWeights, readonly number[]> = {
    weightIh: [4 * H, I],
    weightHh: [4 * H, R],
    biasIh: [4 * H],
    biasHh: [4 * H],
    weightHr: [P, H],
    peephole: [3, H],
    normIh: [4 * H],
    normHh: [4 * H],
    normCell: [2, H],
  }
  for (const weights of directions) {
    for (const name of weightNames) {
      const each = weights[name]
      if (each) requireShape('lstm', name, each, expected[name])
      if (!each !== !directions[0][name])
        throw new TypeError(`lstm: only one of the two directions has ${name}`)
    }
    const norms = [weights.normIh, weights.normHh, weights.normCell].filter((each) => each).length
    if (norms !== 0 && norms !== 3) {
      throw new TypeError('lstm: expected normIh, normHh and normCell together, or none of them')
    }
  }
  if (call.h0) requireShape('lstm', 'h0', call.h0, [D, B, R])
  if (call.c0) requireShape('lstm', 'c0', call.c0, [D, B, H])
  if (call.recurrentMask) requireShape('lstm', 'recurrentMask', call.recurrentMask, [D, B, R])
  requireZoneout('zoneoutHidden', call.zoneoutHidden, [D, B, T, R])
  requireZoneout('zoneoutCell', call.zoneoutCell, [D, B, T, H])
  if (lengths) requireLengths('lstm', lengths, { B, T })
  return { B, T, I, H, P, layerNorm: normIh !== undefined }
}

function requireZoneout(name: string, zoneout: Tensor | number | undefined, shape: readonly number[]): void {
  if (typeof zoneout === 'number') {
    if (zoneout >= 0 && zoneout <= 1) return
    throw new RangeError(`lstm: expected ${name} in [0, 1], got ${zoneout}`)
  }
  if (zoneout) requireShape('lstm', name, zoneout, shape)
}

function rows(array: FloatArray, size: number, d: number): FloatArray {
  return array.subarray(d * size, (d + 1) * size)
}
