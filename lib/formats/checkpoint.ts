/**
 * Model files: safetensors whose tensors have their PyTorch names, with the model's configuration in the
 * metadata. A checkpoint is a model file with more: what training needs to go on (see training/resume.ts).
 */
import { describe, FileFormatError, refuseUnknownOptions } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { withoutInitialValues } from '../layers/initialisation.ts'
import { Layer, type LayerConfig, type Model, tensorsOf, tie, tiesOf } from '../layers/layer.ts'
import { layerFromConfig } from '../layers/registry.ts'
import { Sequential } from '../layers/sequential.ts'
import { sizeOf, type Tensor } from '../tensor.ts'
import { writeFileAtomically } from './atomic.ts'
import { matchParameters, readParameters } from './parameters.ts'
import { encodeSafetensors, openSafetensors, readSafetensors, type StoredArray } from './safetensors/index.ts'

export const configKey = 'lstm_native.config'
export const trainingKey = 'lstm_native.training'
const version = 1

/** Tensors of a checkpoint that are no parameters start with one of these. */
const trainingPrefixes = ['optimizer.', 'best.', 'carried.']

/** What a checkpoint holds beside the model. */
export interface TrainingPart {
  /** Anything that JSON can hold. */
  state: unknown
  /** Their names start with `optimizer.`, `best.` or `carried.`. */
  tensors: Map<string, { shape: readonly number[]; data: FloatArray }>
}

/**
 * Writes a model to a file, whole or not at all: killed at any moment, the old file or the new one is there.
 *
 * `load(path)` can read models made of the package's layers; a model of a class of its own is read by
 * `load(path, { into })`. PyTorch reads the tensors as `safetensors.torch.load_file(path)`.
 *
 * @param options.metadata texts to store beside the model; `readMetadata` reads them
 * @throws {FileFormatError} if the file cannot be written
 */
export async function save(
  model: Model,
  path: string,
  options: { metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  refuseUnknownOptions('save', options, ['metadata'])
  await saveCheckpoint(model, path, options)
}

/**
 * Reads a model that `save` or a checkpoint of `fit` wrote. A checkpoint's weights are the last ones of its
 * training.
 *
 * @param options.into a model to put the parameters into instead of building one; needed where the file does
 *   not say how to build it, as PyTorch's do not. Numbers of another float type are converted.
 * @returns the model, in evaluation mode, or `into`
 * @throws {FileFormatError} if the file cannot be read, says nothing of the model, or its tensors are not
 *   exactly the model's parameters; `into` is untouched then. Only where the disk fails in the middle of reading, or
 *   somebody cuts the file short then, does `into` hold part of it
 */
export async function load(path: string): Promise<Layer>
export async function load<M extends Model>(path: string, options: { into: M }): Promise<M>
export async function load(path: string, options: { into?: Model } = {}): Promise<Model> {
  refuseUnknownOptions('load', options, ['into'])
  const file = await openSafetensors(path)
  try {
    const tensors = modelTensors(file)
    const model = options.into ?? build(path, file.metadata.get(configKey), tensors)
    const parameters = requireParameters(path, model)
    matchParameters(path, parameters, tensors)
    await readParameters(file, parameters)
    return model
  } finally {
    await file.close()
  }
}

/** The texts that `save` was given, and under `lstm_native.config` the model's configuration as JSON. */
export async function readMetadata(path: string): Promise<Map<string, string>> {
  const file = await openSafetensors(path)
  await file.close()
  return new Map(file.metadata)
}

/** `save` with what training needs to go on. */
export async function saveCheckpoint(
  model: Model,
  path: string,
  { metadata = {}, training }: { metadata?: Readonly<Record<string, string>>; training?: TrainingPart },
): Promise<void> {
  const parameters = tensorsOf(model)
  if (parameters.size === 0)
    throw new TypeError(`save: ${describe(model)} has no parameters to write to ${path}`)
  const tensors = new Map<string, { shape: readonly number[]; data: FloatArray }>()
  for (const [name, { shape, array }] of parameters) {
    if (training && isTrainingTensor(name)) {
      throw new FileFormatError(
        `${path}: a checkpoint cannot hold the parameter ${name}: names that start with ` +
          `${trainingPrefixes.join(' or ')} are its own; rename the field`,
        { code: 'ReservedName', path, tensor: name },
      )
    }
    tensors.set(name, { shape, data: array as FloatArray })
  }
  for (const [name, each] of training?.tensors ?? []) tensors.set(name, each)
  const config = configOf(model)
  const texts: Record<string, string> = { format: 'pt', ...metadata }
  const ties = tiesOf(model)
  if (config) {
    const shared = ties.size > 0 && { ties: Object.fromEntries(ties) }
    texts[configKey] = JSON.stringify({ version, model: config, ...shared })
  }
  if (training) texts[trainingKey] = JSON.stringify(training.state)
  await writeFileAtomically(path, encodeSafetensors(tensors, texts))
}

/**
 * The training part of a checkpoint, and how to put its parameters into the model once that part has been
 * accepted.
 *
 * @throws {FileFormatError} if the file is no checkpoint of this model
 */
export async function readCheckpoint(
  path: string,
  model: Model,
): Promise<{ training: TrainingPart; restore: () => void }> {
  const file = await readSafetensors(path)
  const text = file.metadata.get(trainingKey)
  if (text === undefined) {
    throw new FileFormatError(
      `${path}: is a model file without training state; load it and start anew, or resume from a ` +
        'checkpoint of fit',
      { code: 'NoTrainingState', path },
    )
  }
  const parameters = requireParameters(path, model)
  matchParameters(path, parameters, modelTensors(file))
  const tensors: TrainingPart['tensors'] = new Map()
  for (const [name, { shape, data }] of file.tensors) {
    if (isTrainingTensor(name)) tensors.set(name, { shape, data: requireFloats(path, name, data) })
  }
  const state = parse(path, trainingKey, text)
  const restore = () => {
    for (const [name, { array }] of parameters) array.set(file.tensors.get(name)!.data as FloatArray)
  }
  return { training: { state, tensors }, restore }
}

/** The configuration of a model made of the package's layers, or undefined. */
function configOf(model: Model): LayerConfig | undefined {
  if (!(model instanceof Layer)) return undefined
  if (model instanceof Sequential && !model.layers.every(configOf)) return undefined
  return model.config()
}

/** @param tensors that the file has for parameters: a model of more numbers is not even made */
function build(
  path: string,
  text: string | undefined,
  tensors: ReadonlyMap<string, { shape: readonly number[] }>,
): Layer {
  const mostElements = [...tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  if (text === undefined) {
    throw new FileFormatError(
      `${path}: does not say how its model is built; make one with the same layers and call ` +
        'load(path, { into: model })',
      { code: 'NoConfig', path },
    )
  }
  const config = parse(path, configKey, text) as {
    version?: unknown
    model?: LayerConfig
    ties?: Record<string, string>
  }
  if (config?.version !== version) {
    throw new FileFormatError(
      `${path}: expected ${configKey} of version ${version}, got ${describe(config?.version)}; a newer ` +
        'lstm-native may have written it',
      { code: 'UnsupportedVersion', path },
    )
  }
  try {
    const ties = new Map(Object.entries(config.ties ?? {}))
    // Layers that share a parameter are made with one of their own each, before they get the shared one.
    const owners = [...ties.values()].map((name) => tensors.get(name)).filter((each) => each !== undefined)
    const tiedElements = Math.min(
      owners.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      2 * mostElements,
    )
    return withoutInitialValues(() => {
      const model = layerFromConfig(config.model as LayerConfig)
      tie(model, ties)
      return model
    }, mostElements + tiedElements)
  } catch (cause) {
    const hint = 'if its layers are your own, make the model and call load(path, { into: model })'
    throw new FileFormatError(`${path}: its model cannot be built: ${(cause as Error).message}; ${hint}`, {
      code: 'InvalidConfig',
      path,
      cause,
    })
  }
}

function requireParameters(path: string, model: Model): Map<string, Tensor> {
  const parameters = tensorsOf(model)
  if (parameters.size > 0) return parameters
  throw new TypeError(`load: ${describe(model)} has no parameters to load ${path} into`)
}

/** The tensors of a file that are parameters of its model. */
function modelTensors<T>(file: {
  metadata: ReadonlyMap<string, string>
  tensors: ReadonlyMap<string, T>
}): Map<string, T> {
  const isCheckpoint = file.metadata.has(trainingKey)
  return new Map([...file.tensors].filter(([name]) => !(isCheckpoint && isTrainingTensor(name))))
}

function requireFloats(path: string, tensor: string, data: StoredArray): FloatArray {
  if (data instanceof Float32Array || data instanceof Float64Array) return data
  throw new FileFormatError(
    `${path}: tensor ${JSON.stringify(tensor)}: expected floating-point numbers, got integers`,
    {
      code: 'UnsupportedDataType',
      path,
      tensor,
    },
  )
}

function parse(path: string, key: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(`${path}: its metadata ${key} is not valid JSON: ${(cause as Error).message}`, {
      code: 'InvalidMetadata',
      path,
      cause,
    })
  }
}

export function isTrainingTensor(name: string): boolean {
  return trainingPrefixes.some((prefix) => name.startsWith(prefix))
}
