/** The options of an LSTM as attributes of the operator, and those that it has not. */
import { describe } from '../../errors.ts'
import type { Layer, LayerConfig } from '../../layers/layer.ts'
import type { CompleteOptions } from '../../layers/lstm-options.ts'
import type { CompleteCellOptions } from '../../layers/lstm-parameters.ts'
import type { LstmActivationOption } from '../../operations/lstm-variant.ts'
import { type Attribute, cannotExport, type Place } from './export-graph.ts'

/** Of an LSTM, or of an LSTMCell, which has but the cell's. */
export type LSTMConfig = LayerConfig & CompleteCellOptions & Partial<CompleteOptions>

const unknown = ['projectionSize', 'layerNorm', 'zoneoutHidden', 'zoneoutCell'] as const

/** @throws {FileFormatError} for an option that the operator has nothing for */
export function requireOperator(layer: Layer, options: LSTMConfig, place: Place): void {
  const odd = unknown.find((name) => options[name])
  if (odd) cannotExport(place, layer, `its operator LSTM has no ${odd}, got ${describe(options[odd])}`)
  for (const name of activationNames) {
    const { kind } = activationOf(options[name])
    if (kind in functions) continue
    const known = Object.keys(functions).join(', ')
    cannotExport(place, layer, `its operator LSTM has no function ${kind} (${name}); it has ${known}`)
  }
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

function activationOf(option: LstmActivationOption): { kind: string; alpha?: number; beta?: number } {
  const whole = typeof option === 'string' ? { kind: option } : option
  return whole.kind === 'linear' ? { kind: 'linear', alpha: 1, beta: 0 } : whole
}

/** The attributes of a cell, where it is not the standard one. */
export function variantOf(options: LSTMConfig): Readonly<Record<string, Attribute>> {
  const attributes: Record<string, Attribute> = {}
  const given = activationNames.map((name) => activationOf(options[name]))
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
