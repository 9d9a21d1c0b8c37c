/** Models of this package as files that Keras 3 loads. */
import { refuseUnknownOptions, requireInteger } from '../../errors.ts'
import type { Model } from '../../layers/layer.ts'
import { writeFileAtomically } from '../atomic.ts'
import { encodeHdf5, type Hdf5Group } from '../hdf5/writer.ts'
import { encodeZip } from '../zip.ts'
import { describeModel } from './describe.ts'
import { inputOf } from './input.ts'
import type { Dialect } from './layer-config.ts'
import type { KerasNode, TensorTree } from './nodes.ts'
import { groupNames } from './weights.ts'

/** The version whose form these files have. */
const kerasVersion = '3.15.1'

export interface SaveKerasOptions {
  /** T, where the model needs one number of steps alone, as with Flatten; default any. */
  steps?: number
}

/**
 * Writes a model for Keras 3: `NAME.keras` for `keras.saving.load_model`, or `NAME.weights.h5` for `model.load_weights` of
 * a model with the same layers. An LSTM of several layers becomes as many layers there, whose two biases become
 * one; numbers are written as float32.
 *
 * @throws {FileFormatError} for a layer or an option that Keras has nothing for, and if the file cannot be written
 * @throws {RangeError} for a name with another ending
 */
export async function saveKeras(model: Model, path: string, options: SaveKerasOptions = {}): Promise<void> {
  refuseUnknownOptions('saveKeras', options, ['steps'])
  if (options.steps !== undefined) requireInteger('saveKeras', 'steps', options.steps)
  const isArchive = path.endsWith('.keras')
  if (!isArchive && !path.endsWith('.weights.h5')) {
    throw new RangeError(
      `saveKeras: expected a name that ends in .keras or .weights.h5, got ${JSON.stringify(path)}`,
    )
  }
  await writeFileAtomically(path, await (isArchive ? encodeKeras(model, options) : encodeKerasWeights(model)))
}

/** The bytes of a `.keras` file. @throws {FileFormatError} for what Keras has nothing for */
export async function encodeKeras(model: Model, { steps }: SaveKerasOptions = {}): Promise<Uint8Array> {
  const nodes = describeModel(model)
  const { shape, dtype } = inputOf(model, steps)
  const input = entry('keras3', 'InputLayer', { batch_shape: shape, dtype, name: 'input_layer' })
  const layers = [input, ...layerEntries(nodes, 'keras3')]
  const config = entry('keras3', 'Sequential', { name: 'sequential', layers })
  const metadata = { keras_version: kerasVersion, date_saved: '1980-01-01@00:00:00' }
  const json = (value: object) => new TextEncoder().encode(JSON.stringify(value))
  return encodeZip([
    ['metadata.json', json(metadata)],
    ['config.json', json({ ...config, build_config: { input_shape: shape } })],
    ['model.weights.h5', await encodeHdf5(groupsOf(nodes, ''))],
  ])
}

/** The bytes of a `.weights.h5` file. @throws {FileFormatError} for a layer that Keras has nothing for */
export async function encodeKerasWeights(model: Model): Promise<Uint8Array> {
  return encodeHdf5(groupsOf(describeModel(model), ''))
}

/** The layers with their names, as they stand in a model's configuration. */
export function layerEntries(nodes: readonly KerasNode[], dialect: Dialect): object[] {
  const names = groupNames(nodes.map(({ className }) => className))
  return nodes.map((node, i) => layerEntry(node, names[i], dialect))
}

function layerEntry(node: KerasNode, name: string, dialect: Dialect): object {
  const options: Record<string, unknown> = { name, ...node.config(dialect) }
  if (node.layers) options.layers = layerEntries(node.layers, dialect)
  // Keras and tfjs put forward_ and backward_ before the name of the one layer that they get.
  for (const [option, inner] of node.wrapped ?? [])
    options[option] = layerEntry(inner, groupNames([inner.className])[0], dialect)
  return entry(dialect, node.className, options)
}

/** Keras 3 says from which module a class comes. */
function entry(dialect: Dialect, className: string, config: object): object {
  if (dialect !== 'keras3') return { class_name: className, config }
  const module = className === 'Sequential' ? 'keras' : 'keras.layers'
  return { module, class_name: className, config, registered_name: null }
}

/** A group for every layer, with its tensors by number: see `TreeWeights`. */
function groupsOf(nodes: readonly KerasNode[], path: string): Hdf5Group[] {
  const names = groupNames(nodes.map(({ className }) => className))
  return nodes.flatMap((node, i) => {
    const group = `${path}/layers/${names[i]}`
    return [
      ...treeGroups(node.tensors, group, names[i]),
      ...(node.layers ? groupsOf(node.layers, group) : []),
    ]
  })
}

function treeGroups({ own, inner = {} }: TensorTree, path: string, name: string): Hdf5Group[] {
  const datasets = own.map(({ shape, read }, i) => ({ name: String(i), shape, data: read() }))
  const within = Object.entries(inner).flatMap(([part, tree]) => treeGroups(tree, `${path}/${part}`, part))
  return [{ path: `${path}/vars`, attributes: { name }, datasets }, ...within]
}
