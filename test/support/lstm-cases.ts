/** LSTM calls with random contents for comparing kernels: every option of the contract, at awkward sizes. */
import type {
  FloatArray,
  Kernels,
  LstmBackward,
  LstmForward,
  LstmParameters,
  LstmPass,
} from '../../lib/kernels/contract.ts'
import { type LstmVariantOptions, lstmVariant } from '../../lib/operations/lstm-variant.ts'
import { Random } from '../../lib/random.ts'

export interface Options {
  P?: number
  reverse?: boolean
  lengths?: boolean
  layerNorm?: boolean
  peepholes?: boolean
  recurrentMask?: boolean
  /** 'mask' samples, 'number' is the expectation */
  zoneout?: 'mask' | 'number'
  bias?: boolean
  variant?: LstmVariantOptions
}

export interface CaseOptions extends Options {
  B: number
  T: number
  I: number
  H: number
  seed: number
}

type Arrays = Record<string, FloatArray>

export interface Case {
  options: CaseOptions
  /** Everything that has a row for each sequence, [B, ...]; and the parameters. */
  batched: Record<string, number[]>
  parameters: Record<string, number[]>
  lengths: Int32Array | undefined
  /** The same case with these sequences only. */
  only(sequences: number[]): Case
}

/** Sizes around the widths of vectors and tiles. */
export const sizes = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129]

/** Every size in every place, without the 3375 products of them all. */
export const awkwardShapes = sizes.flatMap((size, i) => {
  const other = (step: number) => sizes[(i * step + 3) % 11]
  return [
    { B: size, T: 3, I: other(3), H: other(5) },
    { B: other(2), T: 3, I: size, H: other(7) },
    { B: other(4), T: 3, I: other(6), H: size },
  ]
})

/** None of them 0 at 0: what stands past the last unit of a block must not come through. */
const otherFunctions: LstmVariantOptions = {
  gateActivation: { kind: 'hardSigmoid', alpha: 0.25, beta: 0.45 },
  cellActivation: { kind: 'affine', alpha: 0.3, beta: 0.4 },
  outputActivation: 'softplus',
}

export const optionSets: (Options & { name: string })[] = [
  { name: 'no option' },
  { name: 'reverse', reverse: true },
  { name: 'lengths', lengths: true },
  { name: 'lengths in reverse', lengths: true, reverse: true },
  { name: 'no bias', bias: false },
  { name: 'peepholes', peepholes: true },
  { name: 'a projection', P: 11 },
  { name: 'layer normalisation', layerNorm: true },
  { name: 'recurrent dropout', recurrentMask: true },
  { name: 'sampled zoneout', zoneout: 'mask' },
  { name: 'expected zoneout', zoneout: 'number' },
  { name: 'peepholes and zoneout', peepholes: true, zoneout: 'mask' },
  { name: 'other functions', variant: otherFunctions },
  { name: 'bounds', variant: { clip: 0.7 }, lengths: true },
  { name: 'coupled gates', variant: { coupledInputForget: true }, peepholes: true, reverse: true },
  { name: 'other functions and a projection', variant: otherFunctions, P: 11 },
  {
    name: 'all at once',
    P: 19,
    layerNorm: true,
    peepholes: true,
    recurrentMask: true,
    zoneout: 'mask',
    lengths: true,
    reverse: true,
    variant: { ...otherFunctions, clip: 2, coupledInputForget: true },
  },
]

export function makeCase(options: CaseOptions): Case {
  const { B, T, I, H, P = 0, bias = true } = options
  const R = P || H
  const random = new Random(options.seed)
  const normal = (count: number, deviation = 1) =>
    Array.from({ length: count }, () => Math.fround(random.normal(0, deviation)))
  const coin = (count: number, probability: number, value: number) =>
    Array.from({ length: count }, () => (random.uniform() < probability ? value : 0))
  const scale = 1 / Math.sqrt(H)
  const parameters: Record<string, number[]> = {
    weightIh: normal(4 * H * I, scale),
    weightHh: normal(4 * H * R, scale),
  }
  if (bias) Object.assign(parameters, { biasIh: normal(4 * H, scale), biasHh: normal(4 * H, scale) })
  if (P) parameters.weightHr = normal(P * H, scale)
  if (options.peepholes) parameters.peephole = normal(3 * H, 0.5)
  if (options.layerNorm) {
    Object.assign(parameters, {
      normIh: normal(4 * H, 0.3).map((g) => Math.fround(1 + g)),
      normHh: normal(4 * H, 0.3).map((g) => Math.fround(1 + g)),
      normCell: normal(2 * H, 0.3).map((g) => Math.fround(1 + g)),
    })
  }
  const batched: Record<string, number[]> = {
    x: normal(B * T * I),
    h0: normal(B * R, 0.5),
    c0: normal(B * H, 0.5),
    dy: normal(B * T * R),
    dhn: normal(B * R),
    dcn: normal(B * H),
  }
  if (options.recurrentMask) batched.recurrentMask = coin(B * R, 0.75, Math.fround(1 / 0.75))
  if (options.zoneout === 'mask') {
    batched.zoneoutCell = coin(B * T * H, 0.3, 1)
    batched.zoneoutHidden = coin(B * T * R, 0.3, 1)
  }
  // A length of 0 and a full one are among them where there is room for both.
  const lengths = options.lengths
    ? Int32Array.from({ length: B }, (_, b) => (b * 5 + 3) % (T + 1))
    : undefined
  return assemble({ options, batched, parameters, lengths })
}

function assemble(parts: Omit<Case, 'only'>): Case {
  return {
    ...parts,
    only(sequences) {
      const pick = (values: number[]) => {
        const width = values.length / parts.options.B
        return sequences.flatMap((b) => values.slice(b * width, (b + 1) * width))
      }
      return assemble({
        options: { ...parts.options, B: sequences.length },
        batched: Object.fromEntries(
          Object.entries(parts.batched).map(([name, values]) => [name, pick(values)]),
        ),
        parameters: parts.parameters,
        lengths: parts.lengths && Int32Array.from(sequences, (b) => parts.lengths![b]),
      })
    },
  }
}

/**
 * Runs a case forward and backward. The forward runs once more without a cache, as inference does. With `isPacked`,
 * weights are packed before each call and not by it.
 */
export function runCase(
  kernels: Kernels,
  test: Case,
  Floats: Float32ArrayConstructor | Float64ArrayConstructor,
  { isPacked = false } = {},
): { outputs: Arrays; gradients: Arrays } {
  const { B, T, I, H, P = 0, reverse = false, layerNorm = false, zoneout } = test.options
  const R = P || H
  const float = (values: number[] | number) => new Floats(values as number[]) as FloatArray
  const batched = mapValues(test.batched, float)
  const parameters = mapValues(test.parameters, float) as unknown as LstmParameters
  const shape = { B, T, I, H, P, layerNorm }
  const cache = float(kernels.lstmCacheLength(shape))
  const pack = (pass: LstmPass) => (isPacked ? kernels.lstmPack(pass, { ...shape, parameters }) : undefined)
  const outputs = { y: float(B * T * R).fill(Number.NaN), hn: float(B * R), cn: float(B * H) }
  const call: LstmForward = {
    ...shape,
    ...outputs,
    reverse,
    variant: lstmVariant(test.options.variant ?? {}),
    lengths: test.lengths,
    parameters,
    packed: pack('forward'),
    x: batched.x,
    xBatchStride: T * I,
    xTimeStride: I,
    h0: batched.h0,
    c0: batched.c0,
    recurrentMask: batched.recurrentMask,
    zoneoutCell: zoneout === 'number' ? 0.25 : batched.zoneoutCell,
    zoneoutHidden: zoneout === 'number' ? 0.25 : batched.zoneoutHidden,
    eps: 1e-5,
    yBatchStride: T * R,
    yTimeStride: R,
    cache,
  }
  kernels.lstmForward([call])
  const inferred = { y: float(B * T * R).fill(Number.NaN), hn: float(B * R), cn: float(B * H) }
  kernels.lstmForward([{ ...call, ...inferred, cache: undefined }])
  for (const name of ['y', 'hn', 'cn'] as const) {
    if (outputs[name].some((value, i) => !Object.is(value, inferred[name][i]))) {
      throw new Error(`${name} differs between training and inference`)
    }
  }
  const gradients: Arrays = { dx: float(B * T * I), dh0: float(B * R), dc0: float(B * H) }
  const dparameters = mapValues(test.parameters, (values) => float(values.length))
  const backward: LstmBackward = {
    ...call,
    packed: pack('backwardToInput'),
    cache,
    dy: batched.dy,
    dhn: batched.dhn,
    dcn: batched.dcn,
    ...gradients,
    dparameters: dparameters as unknown as LstmParameters,
  }
  kernels.lstmBackward([backward])
  for (const [name, values] of Object.entries(dparameters)) gradients[`d${name}`] = values
  return { outputs, gradients }
}

/** The largest ‖result - truth‖ / ‖truth‖ over the arrays, and whose it is. */
export function worstError(result: Arrays, truth: Arrays): { error: number; name: string } {
  let worst = { error: -1, name: '' }
  for (const [name, expected] of Object.entries(truth)) {
    let difference = 0
    let norm = 0
    for (let i = 0; i < expected.length; i++) {
      difference += (result[name][i] - expected[i]) ** 2
      norm += expected[i] ** 2
    }
    const error = norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm)
    if (!(error <= worst.error)) worst = { error, name }
  }
  return worst
}

function mapValues<T, U>(record: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))
}
