/** Activation functions by the names that Keras and tfjs have for them, and by ours. */
import type { LayerConfig } from '../../layers/layer.ts'
import type { Dialect, KerasLayer } from './layer-config.ts'

/** A function of ours, with its numbers where the formula has any. */
export interface ActivationFunction {
  kind: string
  alpha?: number
  beta?: number
}

/** Names that mean the same everywhere; ours where it is another. */
const ours = new Map([
  ['relu', 'relu'],
  ['relu6', 'relu6'],
  ['sigmoid', 'sigmoid'],
  ['tanh', 'tanh'],
  ['softmax', 'softmax'],
  ['log_softmax', 'logSoftmax'],
  ['softplus', 'softplus'],
  ['softsign', 'softsign'],
  ['selu', 'selu'],
  ['gelu', 'gelu'],
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['mish', 'mish'],
  ['hard_silu', 'hardSilu'],
  ['exponential', 'exponential'],
])

/** What an LSTM can have inside. */
const ofCells = [
  ...['sigmoid', 'tanh', 'relu', 'softplus', 'softsign', 'selu', 'gelu', 'silu', 'mish', 'exponential'],
  ...['elu', 'leakyRelu', 'hardSigmoid'],
]

/** The hard sigmoid is x/6 + 1/2 between 0 and 1 in Keras 3, and was 0.2·x + 0.5 before, as it is in tfjs. */
export function hardSigmoidSlope(dialect: Dialect): number {
  return dialect === 'keras3' ? 1 / 6 : 0.2
}

/** What tfjs has no function for; it has swish, which is silu. */
const notInTfjs = ['silu', 'hard_silu', 'exponential', 'leaky_relu']

function named(name: string, dialect: Dialect): ActivationFunction | undefined {
  if (name === 'hard_sigmoid') return { kind: 'hardSigmoid', alpha: hardSigmoidSlope(dialect), beta: 0.5 }
  if (name === 'elu') return { kind: 'elu', alpha: 1 }
  if (name === 'leaky_relu') return { kind: 'leakyRelu', alpha: 0.2 }
  const kind = ours.get(name)
  return kind === undefined ? undefined : { kind }
}

/** The function that an option names, or undefined for the identity. @throws {FileFormatError} for others than those above */
export function functionOf(
  layer: KerasLayer,
  option: string,
  fallback: string,
): ActivationFunction | undefined {
  const value = layer.value(option) ?? fallback
  // tfjs has the same names in camel case.
  const name =
    typeof value === 'string' ? value.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : ''
  if (name === 'linear') return undefined
  const found = named(name, layer.source.dialect)
  if (found) return found
  const known = ['linear', ...ours.keys(), 'hard_sigmoid', 'elu', 'leaky_relu'].join(', ')
  const got = typeof value === 'string' ? JSON.stringify(value) : 'code or a layer of another kind'
  return layer.fail('UnsupportedOption', `expected ${option} to be one of ${known}, got ${got}`)
}

/** `functionOf`, for a gate or the cell of an LSTM. */
export function cellFunctionOf(layer: KerasLayer, option: string, fallback: string): ActivationFunction {
  const found = functionOf(layer, option, fallback) ?? { kind: 'linear' }
  if (found.kind !== 'linear' && !ofCells.includes(found.kind))
    layer.fail('UnsupportedOption', `${option}: ${found.kind} cannot stand inside an LSTM`)
  return found
}

/** The layer that applies what the option `activation` says, or none for the identity. */
export function activationLayers(layer: KerasLayer): LayerConfig[] {
  const value = layer.value('activation')
  const className = (value as { class_name?: unknown } | undefined)?.class_name
  // Not Activation itself, which might hold one in turn.
  const convert = className === 'Activation' ? undefined : activationConverters.get(String(className))
  if (convert) return convert(layer.layer('activation'))
  const found = functionOf(layer, 'activation', 'linear')
  return found ? [{ type: 'Activation', ...found }] : []
}

/** Layers that are activations. */
export const activationConverters: ReadonlyMap<string, (layer: KerasLayer) => LayerConfig[]> = new Map([
  ['Activation', activationLayers],
  ['ReLU', reluLayer],
  ['LeakyReLU', leakyReluLayer],
  ['ELU', (layer: KerasLayer) => [{ type: 'Activation', kind: 'elu', alpha: layer.number('alpha', 1) }]],
  ['Softmax', softmaxLayer],
])

function reluLayer(layer: KerasLayer): LayerConfig[] {
  const slope = layer.number('negative_slope', 0)
  const largest = layer.value('max_value')
  layer.require('threshold', 0)
  if (largest !== undefined && (largest !== 6 || slope !== 0))
    layer.fail('UnsupportedOption', 'expected max_value: null, or 6 with negative_slope: 0')
  if (largest === 6) return [{ type: 'Activation', kind: 'relu6' }]
  return [
    slope === 0
      ? { type: 'Activation', kind: 'relu' }
      : { type: 'Activation', kind: 'leakyRelu', alpha: slope },
  ]
}

/** The slope has another name since Keras 3. */
function leakyReluLayer(layer: KerasLayer): LayerConfig[] {
  const option = layer.value('negative_slope') === undefined ? 'alpha' : 'negative_slope'
  return [{ type: 'Activation', kind: 'leakyRelu', alpha: layer.number(option, 0.3) }]
}

function softmaxLayer(layer: KerasLayer): LayerConfig[] {
  if (!layer.isLastAxis('axis'))
    layer.fail('UnsupportedOption', `expected axis: -1, got ${layer.value('axis')}`)
  return [{ type: 'Activation', kind: 'softmax' }]
}

/** The name of a function in a dialect, or undefined where it has none with these numbers. */
export function nameOf({ kind, alpha, beta }: ActivationFunction, dialect: Dialect): string | undefined {
  if (kind === 'linear') return 'linear'
  const names = [...ours.keys(), 'hard_sigmoid', 'elu', 'leaky_relu']
  const known = dialect === 'tfjs' ? names.filter((name) => !notInTfjs.includes(name)) : names
  return known.find((name) => {
    const found = named(name, dialect)!
    return found.kind === kind && isClose(found.alpha, alpha) && isClose(found.beta, beta)
  })
}

/** Numbers may have been float32 on their way here. */
function isClose(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || Math.abs(a - b) < 1e-6
}
