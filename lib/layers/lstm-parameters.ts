/** What LSTM and LSTMCell have in common: the options of one direction, its parameters and their starting values. */
import { describe, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { bernoulliMask } from '../operations/dropout.ts'
import type { LstmWeights } from '../operations/lstm.ts'
import {
  completeVariantOptions,
  type LstmVariantOptions,
  variantOptionNames,
} from '../operations/lstm-variant.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import {
  type FloatDataType,
  glorotBound,
  type Initialiser,
  requireBoolean,
  requireDataType,
} from './initialisation.ts'

export interface LSTMCellOptions extends LstmVariantOptions {
  inputSize: number
  hiddenSize: number
  /** Both biases, `bias_ih` and `bias_hh`; default true. */
  bias?: boolean
  /** P: h is projected to this size (Sak et al. 2014); default 0, no projection. */
  projectionSize?: number
  /** Gates that see the cell (Gers & Schmidhuber 2000); default false. */
  peepholes?: boolean
  /** Normalises x·W_ihᵀ, h·W_hhᵀ and the cell (Ba, Kiros & Hinton 2016); default false. */
  layerNorm?: boolean
  /** Chance, while training, that a unit of h keeps its previous value for a step (Krueger et al. 2017); default 0. */
  zoneoutHidden?: number
  /** Likewise for c; default 0. */
  zoneoutCell?: number
  /**
   * `pytorch` (default): U(±1/√hiddenSize) everywhere. `keras`: W_ih uniform after Glorot & Bengio (2010), W_hh
   * orthogonal, biases 0, forget bias 1. `chrono` (Tallec & Ollivier 2018): as pytorch, but the forget bias is
   * ln U(1, chronoLength - 1) and the input bias its negative. Gains of layer normalisation start at 1.
   */
  initialisation?: 'pytorch' | 'keras' | 'chrono'
  /** The longest dependency expected, in steps, at least 3: needed with `chrono` and only there. */
  chronoLength?: number
  /** Added to the forget gate's part of `bias_ih`; default 1 for `keras`, else 0. Excluded by `chrono`. */
  forgetBias?: number
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

export const cellOptionNames = [
  'inputSize',
  'hiddenSize',
  'bias',
  'projectionSize',
  'peepholes',
  'layerNorm',
  ...variantOptionNames,
  'zoneoutHidden',
  'zoneoutCell',
  'initialisation',
  'chronoLength',
  'forgetBias',
  'seed',
  'dataType',
] as const satisfies readonly (keyof LSTMCellOptions)[]

const defaults = {
  bias: true,
  projectionSize: 0,
  peepholes: false,
  layerNorm: false,
  zoneoutHidden: 0,
  zoneoutCell: 0,
  initialisation: 'pytorch',
  dataType: 'float32',
} as const satisfies Partial<LSTMCellOptions>

/** The options with their defaults: only `chronoLength`, `forgetBias` and `seed` may be missing. */
export type CompleteCellOptions = LSTMCellOptions &
  Required<LstmVariantOptions> & {
    [name in keyof typeof defaults]-?: NonNullable<LSTMCellOptions[name]>
  }

/** Fills in the defaults and checks. @throws {TypeError | RangeError} if an option is out of range */
export function completeCellOptions(place: string, options: LSTMCellOptions): CompleteCellOptions {
  const given = Object.fromEntries(cellOptionNames.map((name) => [name, options[name]]))
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const variant = completeVariantOptions(place, options)
  const all = { ...defaults, ...present, ...variant } as CompleteCellOptions

  requireInteger(place, 'inputSize', all.inputSize)
  requireInteger(place, 'hiddenSize', all.hiddenSize)
  requireInteger(place, 'projectionSize', all.projectionSize, 0)
  for (const name of ['bias', 'peepholes', 'layerNorm'] as const) requireBoolean(place, name, all[name])
  for (const name of ['zoneoutHidden', 'zoneoutCell'] as const) {
    requireNumber(place, name, all[name], { low: 0, high: 1 })
  }
  requireDataType(place, all.dataType)
  requireInitialisation(place, all)
  return all
}

function requireInitialisation(place: string, all: CompleteCellOptions): void {
  const { initialisation, chronoLength, forgetBias, bias } = all
  if (initialisation !== 'pytorch' && initialisation !== 'keras' && initialisation !== 'chrono') {
    const got = describe(initialisation)
    throw new TypeError(`${place}: expected initialisation pytorch, keras or chrono, got ${got}`)
  }
  const isChrono = initialisation === 'chrono'
  if (isChrono) requireInteger(place, 'chronoLength', chronoLength, 3)
  else if (chronoLength !== undefined) {
    throw new TypeError(
      `${place}: chronoLength needs initialisation: 'chrono', got ${describe(initialisation)}`,
    )
  }
  if (isChrono && forgetBias !== undefined) {
    throw new TypeError(
      `${place}: forgetBias and initialisation: 'chrono' both set the forget bias; leave one out`,
    )
  }
  if (forgetBias !== undefined) requireNumber(place, 'forgetBias', forgetBias)
  if (!bias && (isChrono || forgetBias !== undefined)) {
    throw new TypeError(`${place}: ${isChrono ? "initialisation: 'chrono'" : 'forgetBias'} needs bias: true`)
  }
}

/** The parameters of one layer and direction that reads inputs of size I. */
export type LSTMParameters = { [name in keyof LstmWeights]: Parameter }

/** New parameters with their starting values, drawn in the order of their names in `LstmWeights`. */
export function createLSTMParameters(
  I: number,
  options: CompleteCellOptions,
  initialiser: Initialiser,
): LSTMParameters {
  const { hiddenSize: H, projectionSize: P, initialisation } = options
  const R = P || H
  const isKeras = initialisation === 'keras'
  const bound = 1 / Math.sqrt(H)
  const matrix = (rows: number, columns: number) =>
    initialiser.uniform([rows, columns], isKeras ? glorotBound(columns, rows) : bound)
  const vector = (...shape: number[]) =>
    isKeras ? initialiser.constant(shape) : initialiser.uniform(shape, bound)

  const parameters: LSTMParameters = {
    weightIh: matrix(4 * H, I),
    weightHh: isKeras ? initialiser.orthogonal([4 * H, R]) : matrix(4 * H, R),
  }
  if (options.bias) {
    parameters.biasIh = vector(4 * H)
    parameters.biasHh = vector(4 * H)
    setForgetBias(
      options,
      parameters.biasIh.array as FloatArray,
      parameters.biasHh.array as FloatArray,
      initialiser,
    )
  }
  if (P) parameters.weightHr = matrix(P, H)
  if (options.peepholes) parameters.peephole = vector(3, H)
  if (options.layerNorm) {
    parameters.normIh = initialiser.constant([4 * H], 1)
    parameters.normHh = initialiser.constant([4 * H], 1)
    parameters.normCell = initialiser.constant([2, H])
    parameters.normCell.array.fill(1, 0, H)
  }
  return parameters
}

function setForgetBias(
  { hiddenSize: H, initialisation, chronoLength, forgetBias }: CompleteCellOptions,
  biasIh: FloatArray,
  biasHh: FloatArray,
  initialiser: Initialiser,
): void {
  const forget = biasIh.subarray(H, 2 * H)
  if (initialisation === 'chrono') {
    initialiser.logUniform(forget, chronoLength! - 1)
    biasIh.set(forget.map((each) => -each))
    // The two biases are summed; what bias_hh starts with would blur the time constants.
    biasHh.fill(0, 0, 2 * H)
    return
  }
  const extra = forgetBias ?? (initialisation === 'keras' ? 1 : 0)
  for (let j = 0; j < H; j++) forget[j] += extra
}

const fileNames: readonly [file: string, name: keyof LSTMParameters][] = [
  ['weight_ih', 'weightIh'],
  ['weight_hh', 'weightHh'],
  ['bias_ih', 'biasIh'],
  ['bias_hh', 'biasHh'],
  ['weight_hr', 'weightHr'],
  ['peephole', 'peephole'],
  ['norm_ih', 'normIh'],
  ['norm_hh', 'normHh'],
  ['norm_cell', 'normCell'],
]

/** The parameters under their names in files; `suffix` is `_l0`, `_l0_reverse`, or nothing for a cell. */
export function* namedLSTMParameters(
  parameters: LSTMParameters,
  suffix: string,
): Iterable<[name: string, parameter: Parameter]> {
  for (const [file, name] of fileNames) {
    const parameter = parameters[name]
    if (parameter) yield [file + suffix, parameter]
  }
}

/** What the operation `lstm` takes as zoneout: a fresh mask in training, else the expectation; undefined for none. */
export function zoneoutMask(
  like: FloatArray,
  shape: readonly number[],
  { probability, training }: { probability: number; training: boolean },
): Tensor | number | undefined {
  if (probability === 0) return undefined
  return training ? bernoulliMask(like, shape, { probability }) : probability
}
