/** Models of this package as layers models of TensorFlow.js. */
import { createHash } from 'node:crypto'
import type { Model } from '../../layers/layer.ts'
import { describeModel } from '../keras/describe.ts'
import { inputOf } from '../keras/input.ts'
import type { KerasNode, TensorTree } from '../keras/nodes.ts'
import type { KerasTensor } from '../keras/tensors.ts'
import { groupNames } from '../keras/weights.ts'
import { layerEntries, type SaveKerasOptions } from '../keras/write.ts'

const version = '4.22.0'

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
  const bytes = concatenated(tensors.map(([, tensor]) => tensor))
  const shard = shardName(bytes)
  const weights = tensors.map(([name, tensor]) => ({ name, shape: tensor.shape, dtype: 'float32' }))
  const json = {
    format: 'layers-model',
    generatedBy: `TensorFlow.js tfjs-layers v${version}`,
    convertedBy: null,
    modelTopology,
    weightsManifest: [{ paths: [shard], weights }],
  }
  return new Map([
    [shard, bytes],
    ['model.json', new TextEncoder().encode(JSON.stringify(json))],
  ])
}

/** Other weights have another name, so that new ones can lie beside old ones until a model.json names them. */
function shardName(bytes: Uint8Array): string {
  const digest = createHash('sha256').update(bytes).digest('hex')
  return `group1-shard1of1-${digest.slice(0, 16)}.bin`
}

/** Layers of models inside the model stand beside the others: tfjs finds a tensor by its layer's name alone. */
function flat(nodes: readonly KerasNode[]): KerasNode[] {
  return nodes.flatMap((node) => (node.layers ? flat(node.layers) : [node]))
}

/** The tensors under the names that tfjs gives its variables: of the layer, of its direction, of the tensor. */
function namedTensors(nodes: readonly KerasNode[]): [name: string, tensor: KerasTensor][] {
  const names = groupNames(nodes.map(({ className }) => className))
  return nodes.flatMap(({ tensors, wrapped }, i) => {
    const [inner] = groupNames((wrapped ?? []).map(([, { className }]) => className))
    return treeTensors(tensors, names[i], inner)
  })
}

/** @param wrapped the name of the layer that a wrapper makes its directions of */
function treeTensors(
  { own, inner = {} }: TensorTree,
  place: string,
  wrapped = '',
): [name: string, tensor: KerasTensor][] {
  const here = own.map((tensor): [string, KerasTensor] => [`${place}/${tensor.name}`, tensor])
  const direction = {
    cell: '',
    layer: '',
    forward_layer: `/forward_${wrapped}`,
    backward_layer: `/backward_${wrapped}`,
  }
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
