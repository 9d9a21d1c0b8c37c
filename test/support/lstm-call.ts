/** Builds LSTM kernel calls with random numbers and any combination of options, for whoever tests the kernels. */
import type { FloatArray, Kernels, LstmForward, LstmParameters } from '../../lib/kernels/contract.ts'
import { Random } from '../../lib/random.ts'

export interface CallOptions {
  B?: number
  T?: number
  I?: number
  H?: number
  P?: number
  seed?: number
  float?: Float32ArrayConstructor | Float64ArrayConstructor
  bias?: boolean
  peephole?: boolean
  layerNorm?: boolean
  reverse?: boolean
  lengths?: readonly number[]
  initialState?: boolean
  recurrentMask?: boolean
  zoneout?: 'masks' | number
}

export function lstmCall(options: CallOptions = {}): LstmForward {
  const { B = 3, T = 4, I = 2, H = 3, P = 0, seed = 1, float = Float64Array, initialState = true } = options
  const {
    bias = true,
    peephole = false,
    layerNorm = false,
    reverse = false,
    lengths,
    recurrentMask,
    zoneout,
  } = options
  const R = P || H
  const random = new Random(seed)
  const filled = (length: number, next: () => number) => new float(length).map(next)
  const normal = (length: number, mean = 0) => filled(length, () => random.normal(mean, 0.5))
  const mask = (length: number, low: number, high: number) =>
    filled(length, () => (random.uniform() < 0.5 ? low : high))
  const parameters: LstmParameters = { weightIh: normal(4 * H * I), weightHh: normal(4 * H * R) }
  if (bias) Object.assign(parameters, { biasIh: normal(4 * H), biasHh: normal(4 * H) })
  if (P) parameters.weightHr = normal(P * H)
  if (peephole) parameters.peephole = normal(3 * H)
  if (layerNorm) {
    Object.assign(parameters, {
      normIh: normal(4 * H, 1),
      normHh: normal(4 * H, 1),
      normCell: normal(2 * H, 1),
    })
  }
  return {
    ...{ B, T, I, H, P, layerNorm, reverse, parameters, eps: 1e-5 },
    lengths: lengths && Int32Array.from(lengths),
    x: normal(B * T * I),
    xBatchStride: T * I,
    xTimeStride: I,
    h0: initialState ? normal(B * R) : undefined,
    c0: initialState ? normal(B * H) : undefined,
    // Not 0: layer norm of a single number's column is flat, and leaves no gradient to compare.
    recurrentMask: recurrentMask ? mask(B * R, 0.5, 2) : undefined,
    zoneoutCell: zoneout === 'masks' ? mask(B * T * H, 0, 1) : zoneout,
    zoneoutHidden: zoneout === 'masks' ? mask(B * T * R, 0, 1) : zoneout,
    // Garbage, which a forward has to overwrite.
    y: normal(B * T * R),
    yBatchStride: T * R,
    yTimeStride: R,
    hn: normal(B * R),
    cn: normal(B * H),
  }
}

export interface Upstream {
  dy: FloatArray
  dhn: FloatArray
  dcn: FloatArray
}

export function upstreamOf({ y, hn, cn }: LstmForward, seed = 2): Upstream {
  const random = new Random(seed)
  const like = (array: FloatArray) => array.slice().map(() => random.normal()) as FloatArray
  return { dy: like(y), dhn: like(hn), dcn: like(cn) }
}

export interface Gradients {
  dx: FloatArray
  dh0: FloatArray
  dc0: FloatArray
  dparameters: Partial<LstmParameters>
}

/** Zeros for every gradient of a call. */
export function zeroGradients({ x, hn, cn, parameters }: LstmForward): Gradients {
  const zeros = (array: FloatArray) => array.slice().fill(0) as FloatArray
  const named = Object.entries(parameters).map(([name, array]) => [name, zeros(array)])
  return { dx: zeros(x), dh0: zeros(hn), dc0: zeros(cn), dparameters: Object.fromEntries(named) }
}

/** Runs a call forward and backward: the gradient of Σ y∘dy + Σ hn∘dhn + Σ cn∘dcn. */
export function differentiate(
  kernels: Kernels,
  call: LstmForward,
  upstream: Upstream,
  gradients = zeroGradients(call),
): Gradients {
  const length = kernels.lstmCacheLength(call)
  const cache = call.x instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
  kernels.lstmForward([{ ...call, cache }])
  kernels.lstmBackward([{ ...call, cache, ...upstream, ...gradients }])
  return gradients
}

/** The gradients by name, as one flat list. */
export function named({ dx, dh0, dc0, dparameters }: Gradients): [name: string, gradient: FloatArray][] {
  return [['x', dx], ['h0', dh0], ['c0', dc0], ...Object.entries(dparameters)]
}
