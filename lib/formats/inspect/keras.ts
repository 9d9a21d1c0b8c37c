/** What the files of Keras hold: whole models, or weights alone. */
import { FileFormatError } from '../../errors.ts'
import { type Layer, parametersOf } from '../../layers/layer.ts'
import { sizeOf } from '../../tensor.ts'
import { readWhole } from '../files.ts'
import { isHdf5 } from '../hdf5/objects.ts'
import { Hdf5File } from '../hdf5/reader.ts'
import { decodeKeras } from '../keras/index.ts'
import { parseJson, record, type Source, type Values } from '../keras/layer-config.ts'
import { type Archive, openZip } from '../zip.ts'
import type { Inspection, TensorRow } from './inspection.ts'
import { layerRows } from './layers.ts'
import { portsOf } from './ports.ts'

/** @param path a `.keras` archive, or a model or weights in HDF5 */
export async function inspectKeras(path: string): Promise<Inspection> {
  const bytes = await readWhole(path)
  const archive = isHdf5(bytes) ? undefined : openZip(bytes, path)
  const file = new Hdf5File(archive ? archive.read('model.weights.h5') : bytes, path)
  const metadata = archive ? archiveMetadata(archive, path) : fileMetadata(file)
  const tensors = [...tensorsOf(file)]
  const version = metadata.keras_version
  return {
    format: archive
      ? 'Keras model'
      : file.attribute('/', 'model_config')
        ? 'Keras model, HDF5'
        : 'Keras weights, HDF5',
    producer: version === undefined ? undefined : `Keras ${version}`,
    ...(await modelOf(() => decodeKeras(bytes, path))),
    parameters: tensors.reduce((sum, { parameters }) => sum + parameters, 0),
    tensors,
    metadata,
  }
}

function archiveMetadata(archive: Archive, path: string): Values {
  const source: Source = { dialect: 'keras3', path }
  return record(source, parseJson(source, archive.read('metadata.json'), 'metadata.json'), 'metadata.json')
}

function fileMetadata(file: Hdf5File): Values {
  const names = ['keras_version', 'backend']
  return Object.fromEntries(
    names.flatMap((name) => (file.attribute('/', name) ?? []).map((text) => [name, text])),
  )
}

/**
 * The layers of a model that is read, or why it is not one of this package: that it holds weights alone, or a layer that there
 * is nothing for.
 *
 * @throws {FileFormatError} if it is damaged
 */
export async function modelOf(
  read: () => Layer | Promise<Layer>,
): Promise<Pick<Inspection, 'inputs' | 'outputs' | 'layers' | 'problem'>> {
  try {
    const model = await read()
    const config = model.config()
    return { ...portsOf(config), layers: layerRows(config, sizesOf(model)) }
  } catch (error) {
    const isTold = error instanceof FileFormatError && /^(NoConfig|Unsupported)/.test(error.code)
    if (!isTold) throw error
    return { inputs: [], outputs: [], layers: [], problem: error.message }
  }
}

/** Numbers under their names; Keras has one bias where this package has two. */
function sizesOf(model: Layer): [name: string, size: number][] {
  return [...parametersOf(model)].flatMap(([name, { size }]) =>
    name.includes('bias_hh') ? [] : [[name, size]],
  )
}

/** Weights lie a few groups deep; a group that holds itself goes on for ever. */
const deepest = 12
const mostNames = 100_000

/** The datasets of a file but the state of its optimizer. */
function* tensorsOf(file: Hdf5File): Iterable<TensorRow> {
  let left = mostNames
  yield* under('', 0)

  function* under(group: string, depth: number): Iterable<TensorRow> {
    for (const name of file.children(group) ?? []) {
      if (depth === 0 && /^(optimizer|optimizer_weights)$/.test(name)) continue
      if (--left < 0 || depth > deepest) return
      const path = `${group}/${name}`
      const row = datasetRow(file, path)
      if (row) yield row
      else yield* under(path, depth + 1)
    }
  }
}

/** Undefined for a group, and for what holds no floats: the states of random generators. */
function datasetRow(file: Hdf5File, path: string): TensorRow | undefined {
  try {
    const { shape, dataType } = file.dataset(path)
    const parameters = sizeOf(shape)
    return {
      name: path.slice(1),
      dataType,
      shape,
      parameters,
      bytes: (parameters * Number(dataType.slice(1))) / 8,
    }
  } catch (error) {
    const isOther =
      error instanceof FileFormatError && ['MissingTensor', 'UnsupportedDataType'].includes(error.code)
    if (isOther) return undefined
    throw error
  }
}
