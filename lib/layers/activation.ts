/** Activation: an elementwise function, or softmax over the last axis, as a layer for `Sequential`. */

import { describe, nearestName, refuseUnknownOptions, requireNumber } from '../errors.ts'
import type { PlanStep, Unary } from '../kernels/contract.ts'
import { logSoftmax, softmax } from '../operations/normalization.ts'
import { unary } from '../operations/pointwise.ts'
import type { Tensor } from '../tensor.ts'
import { Layer, type LayerConfig } from './layer.ts'

export type ActivationKind =
  | 'linear'
  | 'relu'
  | 'relu6'
  | 'leakyRelu'
  | 'elu'
  | 'selu'
  | 'sigmoid'
  | 'hardSigmoid'
  | 'tanh'
  | 'softsign'
  | 'softplus'
  | 'exponential'
  | 'silu'
  | 'hardSilu'
  | 'mish'
  | 'gelu'
  | 'geluTanh'
  | 'softmax'
  | 'logSoftmax'

/** The numbers in a function's formula: those it has by default, or that they must be said. */
type Numbers = { alpha?: number | 'needed'; beta?: number | 'needed' }

/**
 * Each kind with its kernel and its numbers. Where PyTorch, Keras and ONNX agree on a number it has that default; where they
 * do not, as on the slope of the hard sigmoid, it has to be said.
 */
const functions: Record<ActivationKind, Numbers & { unary?: Unary }> = {
  linear: {},
  relu: { unary: 'relu' },
  relu6: { unary: 'relu6' },
  leakyRelu: { unary: 'leakyRelu', alpha: 'needed' },
  elu: { unary: 'elu', alpha: 1 },
  selu: { unary: 'selu' },
  sigmoid: { unary: 'sigmoid' },
  hardSigmoid: { unary: 'hardSigmoid', alpha: 'needed', beta: 0.5 },
  tanh: { unary: 'tanh' },
  softsign: { unary: 'softsign' },
  softplus: { unary: 'softplus' },
  exponential: { unary: 'exp' },
  silu: { unary: 'silu' },
  hardSilu: { unary: 'hardSilu' },
  mish: { unary: 'mish' },
  gelu: { unary: 'gelu' },
  geluTanh: { unary: 'geluTanh' },
  softmax: {},
  logSoftmax: {},
}

export interface ActivationNumbers {
  /** The slope below 0 of leakyRelu, the depth of elu (default 1), the slope of hardSigmoid. */
  alpha?: number
  /** What hardSigmoid is at 0; default 0.5. */
  beta?: number
}

/** y = f(x), without parameters. Made by `activation('relu')`; the formulas stand at the operations of these names. */
export class Activation extends Layer {
  readonly kind: ActivationKind
  /** Those of the kind, and no others. */
  readonly numbers: Readonly<ActivationNumbers>

  /** @throws {TypeError | RangeError} if the kind is unknown, has no such number or lacks one */
  constructor(kind: ActivationKind, numbers: ActivationNumbers = {}) {
    super()
    if (!Object.hasOwn(functions, kind)) {
      const names = Object.keys(functions)
      const nearest = nearestName(String(kind), names)
      const hint = nearest ? `; did you mean "${nearest}"?` : ''
      throw new TypeError(`activation: expected one of ${names.join(', ')}, got ${describe(kind)}${hint}`)
    }
    this.kind = kind
    this.numbers = completeNumbers(kind, numbers)
  }

  override forward(x: Tensor): Tensor {
    const { kind } = this
    if (kind === 'softmax') return softmax(x)
    if (kind === 'logSoftmax') return logSoftmax(x)
    if (kind === 'linear') return x
    return unary(functions[kind].unary!, x, this.numbers.alpha, this.numbers.beta)
  }

  override freeze(): readonly PlanStep[] {
    const { kind } = this
    if (kind === 'linear') return []
    if (kind === 'softmax' || kind === 'logSoftmax') return [{ kind: 'softmax', log: kind === 'logSoftmax' }]
    return [{ kind: 'unary', function: functions[kind].unary!, ...this.numbers }]
  }

  override config(): LayerConfig {
    return { type: 'Activation', kind: this.kind, ...this.numbers }
  }
}

/**
 * A layer that applies a function: linear, relu, relu6, leakyRelu, elu, selu, sigmoid, hardSigmoid, tanh, softsign, softplus,
 * exponential, silu, hardSilu, mish, gelu, geluTanh, softmax or logSoftmax.
 *
 * @throws {TypeError | RangeError} for other names, for a number that the function has not and for one it lacks
 */
export function activation(kind: ActivationKind, numbers?: ActivationNumbers): Activation {
  return new Activation(kind, numbers)
}

function completeNumbers(kind: ActivationKind, given: ActivationNumbers): ActivationNumbers {
  const known: Numbers = functions[kind]
  const names = (['alpha', 'beta'] as const).filter((name) => known[name] !== undefined)
  refuseUnknownOptions(`activation ${kind}`, given, names)
  const complete: ActivationNumbers = {}
  for (const name of names) {
    const value = given[name] ?? known[name]
    if (value === 'needed') {
      throw new TypeError(
        `activation: ${kind} needs its ${name}, on which PyTorch, Keras and ONNX differ; say which you mean`,
      )
    }
    requireNumber(`activation ${kind}`, name, value)
    complete[name] = value
  }
  return complete
}
