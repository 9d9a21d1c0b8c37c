/** Models of this package as layers models of TensorFlow.js. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { FileFormatError, refuseUnknownOptions, requireInteger } from '../../errors.ts'
import type { Model } from '../../layers/layer.ts'
import { writeFileAtomically } from '../atomic.ts'
import { describeModel } from '../keras/describe.ts'
import { inputOf } from '../keras/input.ts'
import type { KerasNode, TensorTree } from '../keras/nodes.ts'
import type { KerasTensor } from '../keras/tensors.ts'
import { groupNames } from '../keras/weights.ts'
import { layerEntries, type SaveKerasOptions } from '../keras/write.ts'

const shard = 'group1-shard1of1.bin'
const version = '4.22.0'

/**
 * Writes a model as a folder that `tf.loadLayersModel` of TensorFlow.js takes: model.json and one shard, in float32.
 *
 * @throws {FileFormatError} for a layer or an option that tfjs has nothing for, and if a file cannot be written
 */
export async function saveTfjs(model: Model, folder: string, options: SaveKerasOptions = {}): Promise<void> {
  refuseUnknownOptions('saveTfjs', options, ['steps'])
  if (options.steps !== undefined) requireInteger('saveTfjs', 'steps', options.steps)
  const files = encodeTfjs(model, options)
  try {
    await mkdir(folder, { recursive: true })
  } catch (cause) {
    const { code = 'WriteFailed', message } = cause as NodeJS.ErrnoException
    throw new FileFormatError(`${folder}: cannot be made: ${message}`, { code, path: folder, cause })
  }
  // The shard first: whoever finds a model.json finds what it names.
  for (const [name, bytes] of files) await writeFileAtomically(join(folder, name), bytes)
}

/** The files of the folder, by name, model.json last. @throws {FileFormatError} for what tfjs has nothing for */
export function encodeTfjs(model: Model, { steps }: SaveKerasOptions = {}): Map<string, Uint8Array> {
  const nodes = flat(describeModel(model))
  const { shape, dtype } = inputOf(model, steps)
  const input = {
    class_name: 'InputLayer',
    config: { batch_input_shape: shape, dtype, sparse: false, name: 'input' },
  }
  const layers = [input, ...layerEntries(nodes, 'tfjs')]
  const tensors = namedTensors(nodes)
  const modelTopology = {
    class_name: 'Sequential',
    config: { name: 'sequential', layers },
    keras_version: `tfjs-layers ${version}`,
    backend: 'tensor_flow.js',
  }
  const weights = tensors.map(([name, tensor]) => ({ name, shape: tensor.shape, dtype: 'float32' }))
  const json = {
    format: 'layers-model',
    generatedBy: `TensorFlow.js tfjs-layers v${version}`,
    convertedBy: null,
    modelTopology,
    weightsManifest: [{ paths: [shard], weights }],
  }
  return new Map([
    [shard, concatenated(tensors.map(([, tensor]) => tensor))],
    ['model.json', new TextEncoder().encode(JSON.stringify(json))],
  ])
}

/** Layers of models inside the model stand beside the others: tfjs finds a tensor by its layer's name alone. */
function flat(nodes: readonly KerasNode[]): KerasNode[] {
  return nodes.flatMap((node) => (node.layers ? flat(node.layers) : [node]))
}

/** The tensors under the names that tfjs gives its variables: of the layer, of its direction, of the tensor. */
function namedTensors(nodes: readonly KerasNode[]): [name: string, tensor: KerasTensor][] {
  const names = groupNames(nodes.map(({ className }) => className))
  return nodes.flatMap(({ tensors }, i) => treeTensors(tensors, names[i]))
}

function treeTensors({ own, inner = {} }: TensorTree, place: string): [name: string, tensor: KerasTensor][] {
  const here = own.map((tensor): [string, KerasTensor] => [`${place}/${tensor.name}`, tensor])
  const direction = { cell: '', layer: '', forward_layer: '/forward_lstm', backward_layer: '/backward_lstm' }
  const within = Object.entries(inner) as [keyof typeof direction, TensorTree][]
  return [...here, ...within.flatMap(([part, tree]) => treeTensors(tree, place + direction[part]))]
}

function concatenated(tensors: readonly KerasTensor[]): Uint8Array {
  const parts = tensors.map(({ read }) => read())
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return new Uint8Array(all.buffer)
}
