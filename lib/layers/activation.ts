/** Activation: an elementwise function, or softmax over the last axis, as a layer for `Sequential`. */

import { describe, nearestName } from '../errors.ts'
import type { PlanStep } from '../kernels/contract.ts'
import { logSoftmax, softmax } from '../operations/normalization.ts'
import { gelu, relu, sigmoid, softplus, tanh } from '../operations/pointwise.ts'
import type { Tensor } from '../tensor.ts'
import { Layer, type LayerConfig } from './layer.ts'

const functions = { relu, gelu, sigmoid, tanh, softplus, softmax, logSoftmax }

export type ActivationKind = keyof typeof functions

/** y = f(x), without parameters. Made by `activation('relu')`. */
export class Activation extends Layer {
  readonly kind: ActivationKind

  constructor(kind: ActivationKind) {
    super()
    if (!Object.hasOwn(functions, kind)) {
      const names = Object.keys(functions)
      const nearest = nearestName(String(kind), names)
      const hint = nearest ? `; did you mean "${nearest}"?` : ''
      throw new TypeError(`activation: expected one of ${names.join(', ')}, got ${describe(kind)}${hint}`)
    }
    this.kind = kind
  }

  override forward(x: Tensor): Tensor {
    return functions[this.kind](x)
  }

  override freeze(): readonly PlanStep[] {
    const { kind } = this
    if (kind === 'softmax' || kind === 'logSoftmax') return [{ kind: 'softmax', log: kind === 'logSoftmax' }]
    return [{ kind: 'unary', function: kind }]
  }

  override config(): LayerConfig {
    return { type: 'Activation', kind: this.kind }
  }
}

/** A layer that applies relu, gelu, sigmoid, tanh, softplus, softmax or logSoftmax. @throws {TypeError} for other names */
export function activation(kind: ActivationKind): Activation {
  return new Activation(kind)
}
