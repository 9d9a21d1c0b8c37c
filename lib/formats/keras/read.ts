/** Models in the files of Keras: `.keras` archives, legacy `.h5`, and `.weights.h5` for a model that is there. */
import { FileFormatError } from '../../errors.ts'
import type { Sequential } from '../../layers/sequential.ts'
import { readWhole } from '../files.ts'
import { isHdf5 } from '../hdf5/objects.ts'
import { Hdf5File } from '../hdf5/reader.ts'
import { openZip } from '../zip.ts'
import { buildModel } from './build.ts'
import { type KerasLayer, layerOf, parseJson, record, type Source } from './layer-config.ts'
import { LegacyWeights } from './legacy.ts'
import { TreeWeights } from './weights.ts'

/**
 * Reads a model that Keras saved: a `.keras` file, or a whole model in an `.h5` file of Keras 2 or 3. It is a `Sequential` of
 * this package's layers, which computes in float32, and trains on, compiles and saves as any other.
 *
 * Sequential models are read, and functional ones whose layers follow each other in one line, of the layers LSTM,
 * Bidirectional, Dense, Embedding, Masking, TimeDistributed, Dropout, SpatialDropout1D, Conv1D, pooling, Flatten,
 * LayerNormalization and activations. Optimizers, losses and initializers are left out; code in a file is never run.
 *
 * @throws {FileFormatError} with the layer or tensor at fault, if the file cannot be read, is damaged, or has a layer or
 *   an option that this package has nothing for
 */
export async function loadKeras(path: string): Promise<Sequential> {
  return decodeKeras(await readWhole(path), path)
}

/** `loadKeras` on bytes. @param path named in errors */
export function decodeKeras(bytes: Uint8Array, path?: string): Sequential {
  if (isHdf5(bytes)) return decodeLegacy(new Hdf5File(bytes, path), path)
  const archive = openZip(bytes, path)
  const source: Source = { dialect: 'keras3', path }
  const metadata = record(
    source,
    parseJson(source, archive.read('metadata.json'), 'metadata.json'),
    'metadata.json',
  )
  source.dialect = dialectOf(metadata.keras_version)
  const model = layerOf(source, parseJson(source, archive.read('config.json'), 'config.json'))
  if (!archive.has('model.weights.h5') && archive.has('model.weights.npz')) {
    const message =
      'its weights are Python pickles (.npz), which may hold code; save the model with .h5 weights'
    throw new FileFormatError(`${path ?? 'Keras'}: ${message}`, { code: 'UnsupportedWeights', path })
  }
  const file = new Hdf5File(archive.read('model.weights.h5'), path)
  return buildModel(model, new TreeWeights(file, '', path))
}

function decodeLegacy(file: Hdf5File, path: string | undefined): Sequential {
  const source: Source = { dialect: dialectOf(file.attribute('/', 'keras_version')?.[0]), path }
  const [config] = file.attribute('/', 'model_config') ?? []
  if (config === undefined) {
    const fix = 'build the model and call loadKerasWeights(model, path)'
    throw new FileFormatError(`${path ?? 'Keras'}: holds weights without the model's layers; ${fix}`, {
      code: 'NoConfig',
      path,
    })
  }
  const model: KerasLayer = layerOf(source, parseJson(source, config, 'model_config'))
  return buildModel(model, new LegacyWeights(file, '/model_weights', path))
}

/** Keras 3 wrote its number from the first version on; tf.keras and the Keras before wrote 2.x. */
function dialectOf(version: unknown): Source['dialect'] {
  return typeof version === 'string' && /^[12]\./.test(version) ? 'keras2' : 'keras3'
}
