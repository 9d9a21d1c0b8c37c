/** Layers in words: `LSTM 3 → 16, 2 layers, bidirectional`. */
import { withoutInitialValues } from '../../layers/initialisation.ts'
import type { LayerConfig } from '../../layers/layer.ts'
import { layerFromConfig } from '../../layers/registry.ts'
import type { LayerRow } from './inspection.ts'

/** What follows a layer's type. Options in braces are sizes; one that is 0, false or alone does not need to be said. */
const templates: Readonly<Record<string, string>> = {
  Activation: '{kind}',
  Attention: '{score}, {querySize}',
  AveragePool1d: '{size}',
  AveragePool2d: '{size}',
  BatchNorm: '{size}',
  Conv1d: '{inputChannels} → {outputChannels}, kernel {kernelSize}',
  Conv2d: '{inputChannels} → {outputChannels}, kernel {kernelSize}',
  Dropout: '{probability}',
  Embedding: '{vocabularySize} × {embeddingSize}',
  EncoderDecoder: '{sourceVocabulary} → {targetVocabulary}, {embeddingSize} → {hiddenSize}',
  LayerNorm: '{size}',
  Linear: '{inputSize} → {outputSize}',
  LSTM: '{inputSize} → {hiddenSize}',
  LSTMCell: '{inputSize} → {hiddenSize}',
  Masking: '{value}',
  MaxPool1d: '{size}',
  MaxPool2d: '{size}',
  MultiHeadAttention: '{embedSize}, {heads} heads',
  RNN: '{inputSize} → {hiddenSize}',
}

/** Options that differ from their default, in words; the rest as `name: value`. */
const phrases: Readonly<Record<string, string>> = {
  bias: 'without bias',
  bidirectional: 'bidirectional',
  layerNorm: 'layer normalisation',
  maskZero: 'masks 0',
  numLayers: '{} layers',
  peepholes: 'peepholes',
  projectionSize: 'projected to {}',
  returnSequences: 'last step only',
  reverse: 'backwards',
}

/** They matter when a model is made or trained, not for what it computes. */
const unsaid = ['chronoLength', 'dataType', 'forgetBias', 'initialisation', 'seed', 'type']

export function describeLayer(config: LayerConfig): string {
  if (config.type === 'TimeDistributed')
    return `TimeDistributed ${describeLayer(config.layer as LayerConfig)}`
  if (config.type === 'Sequential')
    return `Sequential of ${(config.layers as LayerConfig[]).map(describeLayer).join(', ')}`
  const named: string[] = []
  const text = (templates[config.type] ?? '').replace(/{(\w+)}/g, (_, option: string) => {
    named.push(option)
    return said(config[option])
  })
  const defaults = defaultsOf(config, named)
  const details = Object.entries(config).flatMap(([option, value]) => {
    const isSaid = named.includes(option) || unsaid.includes(option)
    const isThatOfQueries = ['keySize', 'valueSize'].includes(option) && value === config.embedSize
    if (isSaid || isThatOfQueries || JSON.stringify(value) === JSON.stringify(defaults[option])) return []
    return [phrases[option]?.replace('{}', String(value)) ?? `${option}: ${said(value)}`]
  })
  return [`${config.type} ${text}`.trimEnd(), ...details].join(', ')
}

/** A value as people write it: 0.3, not the float32 next to it; hardSigmoid(alpha: 0.2, beta: 0.5). */
function said(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)))
  if (Array.isArray(value)) return value.map(said).join(' × ')
  if (value === null || typeof value !== 'object' || !('kind' in value)) return String(value)
  const { kind, ...numbers } = value
  return `${kind}(${Object.entries(numbers)
    .map(([name, n]) => `${name}: ${said(n)}`)
    .join(', ')})`
}

/** Layers whose sizes take memory. */
const sized = [
  ...['Attention', 'BatchNorm', 'Conv1d', 'Conv2d', 'Embedding', 'EncoderDecoder', 'LayerNorm', 'Linear'],
  ...['LSTM', 'LSTMCell', 'MultiHeadAttention', 'RNN'],
]

/** The options of a layer that was given its sizes only; those that take memory are 1. */
function defaultsOf({ type, ...config }: LayerConfig, sizes: readonly string[]): LayerConfig {
  // Numbers of functions have no defaults.
  if (type === 'Activation') return { type }
  const hasParameters = sized.includes(type)
  const given = sizes.map((option) => {
    const value = config[option]
    return [option, hasParameters && typeof value !== 'string' ? 1 : value]
  })
  const tokens = type === 'EncoderDecoder' ? { start: 0, end: 0 } : {}
  const options = { ...tokens, ...Object.fromEntries(given) }
  return withoutInitialValues(() => layerFromConfig({ type, ...options })).config()
}

/** The layers inside a model's configuration, with the paths that their parameters' names begin with. */
export function leavesOf(config: LayerConfig, path = ''): [path: string, config: LayerConfig][] {
  if (config.type !== 'Sequential') return [[path, config]]
  const layers = config.layers as readonly LayerConfig[]
  return layers.flatMap((layer, i) => leavesOf(layer, path === '' ? String(i) : `${path}.${i}`))
}

/** The layers of a model, counting the numbers in the tensors whose names begin with theirs. */
export function layerRows(
  config: LayerConfig,
  tensors: Iterable<readonly [name: string, size: number]>,
): LayerRow[] {
  const sizes = [...tensors]
  return leavesOf(config).map(([path, layer]) => ({
    name: path || '(model)',
    kind: describeLayer(layer),
    parameters: sizes.reduce(
      (sum, [name, size]) => sum + (path === '' || name.startsWith(`${path}.`) ? size : 0),
      0,
    ),
  }))
}
