/** The options of an LSTM as attributes of the operator, and whether it has them all. */

import type { ActivationName } from '../../kernels/contract.ts'
import type { LayerConfig } from '../../layers/layer.ts'
import type { CompleteOptions } from '../../layers/lstm-options.ts'
import type { CompleteCellOptions } from '../../layers/lstm-parameters.ts'
import type { LstmActivationOption } from '../../operations/lstm-variant.ts'
import type { Attribute } from './export-graph.ts'

/** Of an LSTM, or of an LSTMCell, which has but the cell's. */
export type LSTMConfig = LayerConfig & CompleteCellOptions & Partial<CompleteOptions>

const own = ['projectionSize', 'layerNorm', 'zoneoutHidden', 'zoneoutCell'] as const

/** Whether the operator LSTM has all that the options ask for. */
export function hasOperator(options: LSTMConfig): boolean {
  return (
    own.every((name) => !options[name]) &&
    activationNames.every((name) => activationOf(options[name]).kind in functions)
  )
}

const activationNames = ['gateActivation', 'cellActivation', 'outputActivation'] as const
const standard = { gateActivation: 'sigmoid', cellActivation: 'tanh', outputActivation: 'tanh' } as const

/** ONNX's names, and which numbers each takes from the lists. */
const functions: Record<string, readonly [name: string, ...numbers: ('alpha' | 'beta')[]]> = {
  sigmoid: ['Sigmoid'],
  tanh: ['Tanh'],
  relu: ['Relu'],
  softsign: ['Softsign'],
  softplus: ['Softplus'],
  elu: ['Elu', 'alpha'],
  leakyRelu: ['LeakyRelu', 'alpha'],
  thresholdedRelu: ['ThresholdedRelu', 'alpha'],
  affine: ['Affine', 'alpha', 'beta'],
  hardSigmoid: ['HardSigmoid', 'alpha', 'beta'],
  scaledTanh: ['ScaledTanh', 'alpha', 'beta'],
  linear: ['Affine', 'alpha', 'beta'],
}

export function activationOf(option: LstmActivationOption): {
  kind: ActivationName
  alpha?: number
  beta?: number
} {
  return typeof option === 'string' ? { kind: option } : option
}

/** The operator's linear function is an affine one. */
function asOperators(option: LstmActivationOption): ReturnType<typeof activationOf> {
  const whole = activationOf(option)
  return whole.kind === 'linear' ? { kind: 'linear', alpha: 1, beta: 0 } : whole
}

/** The attributes of a cell, where it is not the standard one. */
export function variantOf(options: LSTMConfig): Readonly<Record<string, Attribute>> {
  const attributes: Record<string, Attribute> = {}
  const given = activationNames.map((name) => asOperators(options[name]))
  if (given.some(({ kind }, i) => kind !== standard[activationNames[i]])) {
    const all = options.bidirectional ? [...given, ...given] : given
    attributes.activations = { strings: all.map(({ kind }) => functions[kind][0]) }
    for (const name of ['alpha', 'beta'] as const) {
      const numbers = all.flatMap((each) => (functions[each.kind].includes(name) ? [each[name]!] : []))
      if (numbers.length > 0) attributes[`activation_${name}`] = { floats: numbers }
    }
  }
  if (options.clip) attributes.clip = { float: options.clip }
  if (options.coupledInputForget) attributes.input_forget = 1
  return attributes
}
