/** A model of any format: what `lstm convert` reads and `lstm serve` serves. Readers are loaded when a file asks for them. */
import { FileFormatError } from '../errors.ts'
import { withoutInitialValues } from '../layers/initialisation.ts'
import type { Layer, LayerConfig } from '../layers/layer.ts'
import { layerFromConfig } from '../layers/registry.ts'
import { configKey, load, readMetadata, trainingKey } from './checkpoint.ts'
import { detectFormat, type SourceFormat } from './detect.ts'
import type { LayerSpecification } from './pytorch/index.ts'
import { openSafetensors, openShards } from './safetensors/index.ts'

export interface LoadModelOptions {
  /**
   * The layers of a file that does not tell them: for PyTorch as `loadPyTorch` takes them, for `.weights.h5` of Keras the
   * configuration of every layer.
   */
  specification?: readonly LayerSpecification[]
}

export interface LoadedModel {
  model: Layer
  format: SourceFormat
  /** Texts stored beside the model, in files of this package. */
  metadata: Readonly<Record<string, string>>
  /** What was assumed of a file that does not tell its layers. */
  notes: readonly string[]
}

/**
 * Reads a model of whatever format the file at `path` has, which its beginning tells.
 *
 * @throws {FileFormatError} if it cannot be read, or is no stack of layers
 */
export async function loadModel(
  path: string,
  { specification }: LoadModelOptions = {},
): Promise<LoadedModel> {
  const format = await detectFormat(path)
  return { metadata: {}, notes: [], format, ...(await read(path, format, specification)) }
}

interface Source {
  model: Layer
  metadata?: Readonly<Record<string, string>>
  notes?: readonly string[]
}

async function read(
  path: string,
  format: SourceFormat,
  specification: LoadModelOptions['specification'],
): Promise<Source> {
  if (format === 'safetensors' || format === 'pytorch') return readTensors(path, format, specification)
  if (specification && format !== 'hdf5') {
    throw new FileFormatError(`${path}: tells its layers itself; leave the specification out`, {
      code: 'NeedlessSpecification',
      path,
    })
  }
  return { model: await readTelling(path, format, specification) }
}

async function readTelling(
  path: string,
  format: Exclude<SourceFormat, 'safetensors' | 'pytorch'>,
  specification: LoadModelOptions['specification'],
): Promise<Layer> {
  if (format === 'onnx') return (await (await import('./onnx/index.ts')).loadOnnx(path)).toModel()
  if (format === 'tfjs') return (await import('./tfjs/index.ts')).loadTfjs(path)
  const { loadKeras, loadKerasWeights } = await import('./keras/index.ts')
  if (!specification) return loadKeras(path)
  const layers = specification as readonly LayerConfig[]
  const model = withoutInitialValues(() => layerFromConfig({ type: 'Sequential', layers }))
  return loadKerasWeights(model, path)
}

/** Keys of this package's own, which `save` writes anew. */
const ownKeys = ['format', configKey, trainingKey]

async function readTensors(
  path: string,
  format: 'safetensors' | 'pytorch',
  specification: LoadModelOptions['specification'],
): Promise<Source> {
  const metadata = format === 'pytorch' ? new Map<string, string>() : await readMetadata(path)
  if (!specification && metadata.has(configKey)) {
    const texts = [...metadata].filter(([key]) => !ownKeys.includes(key))
    return { model: await load(path), metadata: Object.fromEntries(texts) }
  }
  const { loadPyTorch, proposeSpecification } = await import('./pytorch/index.ts')
  const model = await loadPyTorch(path, { specification })
  if (specification) return { model }
  const file = await (path.endsWith('.json') ? openShards(path) : openSafetensors(path))
  await file.close()
  return { model, notes: proposeSpecification(file.tensors).notes }
}
