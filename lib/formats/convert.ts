/** From any format to any other: `lstm convert`. */
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FileFormatError, refuseUnknownOptions } from '../errors.ts'
import { type Layer, parametersOf } from '../layers/layer.ts'
import { save } from './checkpoint.ts'
import { formatToWrite, type SourceFormat, type TargetFormat } from './detect.ts'
import { type LoadModelOptions, loadModel } from './load-model.ts'

export interface ConvertOptions extends LoadModelOptions {
  /** Replace what is at `to`. Default: it is an error if something is there. */
  force?: boolean
  /** T, for Keras and TensorFlow.js, whose Flatten needs one number of steps alone; see `saveKeras`. */
  steps?: number
  /** Whether inputs beside x may be left out of ONNX's (default true), where JavaScript cannot give them; see `saveOnnx`. */
  optionalInputs?: boolean
}

export interface Conversion {
  from: SourceFormat
  to: TargetFormat
  /** Numbers in the model; formats differ in how many they store (Keras has one bias for an LSTM, PyTorch two). */
  parameters: number
  /** What was assumed of a file that does not tell its layers. */
  notes: readonly string[]
  /** Of ONNX: the inputs that may be left out of the new file, which onnxruntime-node therefore ignores. */
  optionalInputs: readonly string[]
}

/**
 * Reads a model in whatever format it has and writes it in the one that the new name tells: `.safetensors` for this package,
 * `.pytorch.safetensors` for PyTorch's load_state_dict, `.keras` or `.weights.h5`, `.onnx`, a `.tfjs` folder. The new file
 * is there whole or not at all.
 *
 * Texts stored beside the model go along between files of this package; the state of a training stays behind.
 *
 * @throws {FileFormatError} if the one cannot be read, or the model cannot be said in the other; nothing is written then
 * @throws {TypeError} if the specification makes no sense, or there is an option for a format that asks for none
 */
export async function convert(from: string, to: string, options: ConvertOptions = {}): Promise<Conversion> {
  refuseUnknownOptions('convert', options, ['force', 'specification', 'steps', 'optionalInputs'])
  const target = formatToWrite(to)
  if (options.steps !== undefined && target !== 'keras' && target !== 'tfjs')
    throw new TypeError(`convert: steps are for Keras and TensorFlow.js, got them for ${to}`)
  if (options.optionalInputs !== undefined && target !== 'onnx')
    throw new TypeError(`convert: optionalInputs are for ONNX, got them for ${to}`)
  if (!options.force) await refuseExisting(to, target)
  const { model, format, metadata, notes } = await loadModel(from, options)
  const optionalInputs = await write(model, to, { ...options, format: target, metadata })
  const parameters = [...parametersOf(model).values()].reduce((sum, { size }) => sum + size, 0)
  return { from: format, to: target, parameters, notes, optionalInputs }
}

async function refuseExisting(path: string, format: TargetFormat): Promise<void> {
  // An empty folder is as good as none for a format that is a folder.
  const place = format === 'tfjs' && !path.endsWith('.json') ? join(path, 'model.json') : path
  const isThere = await stat(place).then(
    () => true,
    () => false,
  )
  if (isThere) {
    throw new FileFormatError(`${place}: is there already; force: true (--force) replaces it`, {
      code: 'FileExists',
      path,
    })
  }
}

/** @returns the inputs that may be left out */
async function write(
  model: Layer,
  path: string,
  {
    format,
    metadata,
    steps,
    optionalInputs,
  }: Pick<ConvertOptions, 'steps' | 'optionalInputs'> & {
    format: TargetFormat
    metadata: Readonly<Record<string, string>>
  },
): Promise<readonly string[]> {
  if (format === 'onnx') {
    const { inputsBesideX, saveOnnx } = await import('./onnx/export.ts')
    await saveOnnx(model, path, { optionalInputs })
    return optionalInputs === false ? [] : inputsBesideX(model)
  }
  if (format === 'safetensors') await save(model, path, { metadata })
  else if (format === 'pytorch') await (await import('./pytorch/index.ts')).savePyTorch(model, path)
  else if (format === 'keras') await (await import('./keras/index.ts')).saveKeras(model, path, { steps })
  else {
    const folder = basename(path) === 'model.json' ? dirname(path) : path
    await (await import('./tfjs/index.ts')).saveTfjs(model, folder, { steps })
  }
  return []
}
