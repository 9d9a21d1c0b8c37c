/** What may differ from the standard LSTM cell, as options that people write and as the kernels take it. */
import { describe, nearestName, requireNumber } from '../errors.ts'
import type { ActivationName, LstmActivation, LstmVariant } from '../kernels/contract.ts'

/** A function by its name, or with its numbers where the formula has any. */
export type LstmActivationOption = ActivationName | { kind: ActivationName; alpha?: number; beta?: number }

export interface LstmVariantOptions {
  /** The function of i, f and o; default 'sigmoid'. */
  gateActivation?: LstmActivationOption
  /** The function of g; default 'tanh'. */
  cellActivation?: LstmActivationOption
  /** The function of the cell on its way to the output; default 'tanh'. */
  outputActivation?: LstmActivationOption
  /** Keeps the sums of the gates, peepholes included, in [-clip, clip], as ONNX's `clip`; default 0, no bounds. */
  clip?: number
  /** f = 1 - i, as ONNX's `input_forget`: the forget gate's own parameters have no effect; default false. */
  coupledInputForget?: boolean
}

export const variantOptionNames = [
  'gateActivation',
  'cellActivation',
  'outputActivation',
  'clip',
  'coupledInputForget',
] as const satisfies readonly (keyof LstmVariantOptions)[]

const defaults: Required<LstmVariantOptions> = {
  gateActivation: 'sigmoid',
  cellActivation: 'tanh',
  outputActivation: 'tanh',
  clip: 0,
  coupledInputForget: false,
}

type Numbers = { alpha?: number | 'needed'; beta?: number | 'needed' }

/**
 * The functions there are, with the numbers they have and what these are by default: as ONNX, PyTorch and Keras agree.
 * Where they do not, as on the slope of the hard sigmoid, the number has to be said.
 */
const functions: Record<ActivationName, Numbers> = {
  linear: {},
  sigmoid: {},
  tanh: {},
  relu: {},
  softplus: {},
  gelu: {},
  exponential: {},
  softsign: {},
  silu: {},
  mish: {},
  selu: {},
  elu: { alpha: 1 },
  affine: { alpha: 'needed', beta: 'needed' },
  leakyRelu: { alpha: 'needed' },
  thresholdedRelu: { alpha: 1 },
  scaledTanh: { alpha: 'needed', beta: 'needed' },
  hardSigmoid: { alpha: 'needed', beta: 0.5 },
}

/**
 * The options with their defaults, every number of a function said: what a file keeps.
 *
 * @throws {TypeError | RangeError} if a function is unknown, has a number it does not know or lacks one it needs
 */
export function completeVariantOptions(
  place: string,
  options: LstmVariantOptions,
): Required<LstmVariantOptions> {
  const { clip = 0, coupledInputForget = false } = options
  requireNumber(place, 'clip', clip, { low: 0 })
  if (typeof coupledInputForget !== 'boolean') {
    const got = describe(coupledInputForget)
    throw new TypeError(`${place}: expected coupledInputForget to be true or false, got ${got}`)
  }
  const activation = (name: 'gateActivation' | 'cellActivation' | 'outputActivation') =>
    completeActivation(place, name, options[name] ?? defaults[name])
  return {
    gateActivation: activation('gateActivation'),
    cellActivation: activation('cellActivation'),
    outputActivation: activation('outputActivation'),
    clip,
    coupledInputForget,
  }
}

/**
 * What the operation `lstm` and the kernels take; undefined for the standard cell, which has a faster path.
 *
 * @throws {TypeError | RangeError} as `completeVariantOptions`
 */
export function lstmVariant(options: LstmVariantOptions): LstmVariant | undefined {
  const complete = completeVariantOptions('lstmVariant', options)
  if (variantOptionNames.every((name) => complete[name] === defaults[name])) return undefined
  const { clip, coupledInputForget } = complete
  return {
    gate: numbered(complete.gateActivation),
    cell: numbered(complete.cellActivation),
    output: numbered(complete.outputActivation),
    clip,
    coupledInputForget,
  }
}

function numbered(option: LstmActivationOption): LstmActivation {
  return typeof option === 'string'
    ? { kind: option, alpha: 0, beta: 0 }
    : { kind: option.kind, alpha: option.alpha ?? 0, beta: option.beta ?? 0 }
}

/** A name where the function has no numbers, else the name and all of them. */
function completeActivation(
  place: string,
  option: string,
  given: LstmActivationOption,
): LstmActivationOption {
  const { kind, ...numbers } = typeof given === 'object' && given !== null ? given : { kind: given }
  if (!Object.hasOwn(functions, kind)) {
    const names = Object.keys(functions)
    const nearest = nearestName(String(kind), names)
    const hint = nearest ? `; did you mean "${nearest}"?` : `; known: ${names.join(', ')}`
    throw new TypeError(`${place}: ${option} has no function ${describe(kind)}${hint}`)
  }
  const known: Numbers = functions[kind]
  for (const [name, value] of Object.entries(numbers)) {
    if (value === undefined) continue
    if (!(name in known)) throw new TypeError(`${place}: ${option}: ${kind} has no ${name}; leave it out`)
    requireNumber(place, `${option}.${name}`, value)
  }
  const complete: { kind: ActivationName; alpha?: number; beta?: number } = { kind }
  for (const name of ['alpha', 'beta'] as const) {
    const value = (numbers as Numbers)[name] ?? known[name]
    if (value === 'needed') {
      const hint = kind === 'hardSigmoid' ? ': 1/6 in Keras 3, 0.2 in Keras 2, TensorFlow.js and ONNX' : ''
      throw new TypeError(`${place}: ${option}: ${kind} needs its ${name}${hint}`)
    }
    if (value !== undefined) complete[name] = value
  }
  return Object.keys(complete).length === 1 ? kind : complete
}
