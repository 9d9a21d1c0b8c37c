/** Models for PyTorch: safetensors that load_state_dict takes. */
import { describe, FileFormatError, refuseUnknownOptions } from '../../errors.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import { allNamesOf, type Layer, layersOf, type Model } from '../../layers/layer.ts'
import { LSTM } from '../../layers/lstm.ts'
import { LSTMCell } from '../../layers/lstm-cell.ts'
import { layerFromConfig } from '../../layers/registry.ts'
import { ModelBuffer } from '../../tensor.ts'
import { type StoredArray, type StoredType, writeSafetensors } from '../safetensors/index.ts'
import { countBeside, rename } from './names.ts'

/**
 * Writes the parameters of a model so that PyTorch takes them:
 *
 *     await savePyTorch(model, 'forecaster.safetensors', { prefixes: { 0: 'lstm', 2: 'head' } })
 *
 *     # in Python
 *     model.load_state_dict(safetensors.torch.load_file('forecaster.safetensors'))
 *
 * Without `prefixes` the names are those of a torch.nn.Sequential with the same layers, whose forward does not run, though:
 * torch.nn.LSTM returns a pair, which the next layer does not take. A layer that PyTorch has not (LastStep) needs a
 * stand-in there (torch.nn.Identity), or the numbers after it differ.
 *
 * torch.nn.LSTM, torch.nn.RNN and torch.nn.MultiheadAttention want batch_first=True for inputs as here. Convolutions, pools and
 * BatchNorm want the channels after the batch there: between those and what reads features stands a transpose or permute,
 * and where it is a Flatten, the columns of the Linear behind it are in the order of channels last.
 *
 * @param options.prefixes where the parts of the model stand in PyTorch; see `loadPyTorchWeights`
 * @param options.dataType F64, F32, F16 or BF16, rounded to the nearest; default: as the parameters are
 * @throws {FileFormatError} UnsupportedLayer if a layer computes what the module of PyTorch does not; the system's code
 *   if the file cannot be written
 */
export async function savePyTorch(
  model: Model,
  path: string,
  options: { prefixes?: Readonly<Record<string, string>>; dataType?: 'F64' | 'F32' | 'F16' | 'BF16' } = {},
): Promise<void> {
  refuseUnknownOptions('savePyTorch', options, ['prefixes', 'dataType'])
  for (const [place, layer] of layersOf(model)) requireTorch(path, place, layer)
  const parameters = rename('savePyTorch', allNamesOf(model), options.prefixes ?? {})
  if (parameters.size === 0)
    throw new TypeError(`savePyTorch: ${describe(model)} has no parameters to write to ${path}`)
  const dataType: StoredType | undefined = options.dataType
  const tensors = [...parameters].map(
    ([name, { shape, array }]) => [name, { shape, data: array as StoredArray, dataType }] as const,
  )
  // PyTorch counts batches, which this package does not: 0 is what it takes where there is no count.
  const counts = [...parameters].flatMap(([name, tensor]) => {
    const count = tensor instanceof ModelBuffer ? countBeside(name) : undefined
    return count ? [[count, { shape: [], data: BigInt64Array.of(0n) }] as const] : []
  })
  await writeSafetensors(path, [...tensors, ...counts], { metadata: { format: 'pt' } })
}

const cell = [
  'inputSize',
  'hiddenSize',
  'bias',
  'initialisation',
  'chronoLength',
  'forgetBias',
  'seed',
  'dataType',
]

/**
 * The options that PyTorch has too, that count in training or under a mask only, or that say what of the output is used;
 * others must stand at their defaults.
 */
const shared: Readonly<Record<string, readonly string[]>> = {
  LSTM: [
    ...cell,
    'projectionSize',
    'numLayers',
    'bidirectional',
    'dropout',
    'dropoutAcrossTime',
    'weightDrop',
    'recurrentDropout',
    'returnSequences',
    'zeroMasked',
  ],
  LSTMCell: cell,
}

/** @throws {FileFormatError} if the layer has an option that its namesake in PyTorch has not */
function requireTorch(path: string, place: string, layer: Layer): void {
  if (!(layer instanceof LSTM || layer instanceof LSTMCell)) return
  const { type } = layer.config()
  const defaults = withoutInitialValues(() => layerFromConfig({ type, inputSize: 1, hiddenSize: 1 }).config())
  for (const [option, value] of Object.entries(layer.config())) {
    if (option === 'type' || shared[type].includes(option)) continue
    if (JSON.stringify(value) === JSON.stringify(defaults[option])) continue
    const where = place === '' ? type : `layer ${JSON.stringify(place)} (${type})`
    throw new FileFormatError(
      `${path}: ${where}: torch.nn.${type} has no ${option}, expected ${JSON.stringify(defaults[option])}, got ` +
        `${JSON.stringify(value)}; save(model, path) keeps it, for this package`,
      { code: 'UnsupportedLayer', path },
    )
  }
}
