/** Weights of Keras models into models that are there. */
import { FileFormatError } from '../../errors.ts'
import type { Model } from '../../layers/layer.ts'
import { readWhole } from '../files.ts'
import { isHdf5 } from '../hdf5/objects.ts'
import { Hdf5File } from '../hdf5/reader.ts'
import { openZip } from '../zip.ts'
import { describeModel } from './describe.ts'
import { LegacyWeights } from './legacy.ts'
import type { KerasNode, TensorTree } from './nodes.ts'
import { fill, type KerasTensor } from './tensors.ts'
import {
  type InnerPart,
  type ListedWeights,
  type StoredWeight,
  TreeWeights,
  type Weights,
} from './weights.ts'

/**
 * Reads the weights of a Keras model into a model with the same layers: from the `.weights.h5` or `.keras` of Keras 3, where
 * they are found by the classes of the layers, or the `.h5` of Keras 2, where by their order.
 *
 * @returns the model
 * @throws {FileFormatError} if the file cannot be read or its tensors are not the model's; the model is untouched then
 */
export async function loadKerasWeights<M extends Model>(model: M, path: string): Promise<M> {
  decodeKerasWeights(model, await readWhole(path), path)
  return model
}

/** `loadKerasWeights` on bytes. @param path named in errors */
export function decodeKerasWeights(model: Model, bytes: Uint8Array, path?: string): void {
  const nodes = describeModel(model)
  const file = new Hdf5File(isHdf5(bytes) ? bytes : openZip(bytes, path).read('model.weights.h5'), path)
  const group = file.children('/model_weights') ? '/model_weights' : '/'
  const isLegacy = file.attribute(group, 'layer_names') ?? file.attribute(group, 'layer_names0')
  const found = isLegacy
    ? inOrder(nodes, new LegacyWeights(file, group, path).filled(), path)
    : byClass(nodes, new TreeWeights(file, '', path))
  const tensors = found.map(([tensor]) => tensor)
  // All are read before the first is written: a model that was there stays whole.
  const stored = found.map(([, { name, shape, read }]) => ({ name, shape, data: read() }))
  fill(
    tensors,
    stored.map(({ name, shape, data }) => ({ name, shape, read: () => data })),
    path,
  )
}

type Pair = [tensor: KerasTensor, stored: StoredWeight]

function byClass(nodes: readonly KerasNode[], weights: TreeWeights): Pair[] {
  const groups = weights.ofLayers(nodes)
  return nodes.flatMap((node, i) => [
    ...treePairs(node.tensors, groups[i]),
    ...(node.layers ? byClass(node.layers, groups[i]) : []),
  ])
}

/** The layers that have tensors, one after the other; a model inside the model counts as a layer there. */
function inOrder(
  nodes: readonly KerasNode[],
  layers: readonly ListedWeights[],
  path: string | undefined,
): Pair[] {
  const filled = nodes.filter(hasTensors)
  if (filled.length !== layers.length) {
    const message = `expected ${filled.length} layers with weights, got ${layers.length}`
    throw new FileFormatError(`${path ?? 'Keras'}: ${message}; build the model with the same layers`, {
      code: 'MissingTensor',
      path,
    })
  }
  const pairs = filled.flatMap((node, i) => listedPairs(node, layers[i]))
  for (const layer of layers) layer.end()
  return pairs
}

function listedPairs(node: KerasNode, weights: ListedWeights): Pair[] {
  if (node.layers) return node.layers.flatMap((inner) => listedPairs(inner, weights))
  return treePairs(node.tensors, weights)
}

function hasTensors(node: KerasNode): boolean {
  return node.layers ? node.layers.some(hasTensors) : treeTensors(node.tensors).length > 0
}

function treePairs({ own, inner = {} }: TensorTree, weights: Weights): Pair[] {
  const parts = Object.entries(inner) as [InnerPart, TensorTree][]
  const pairs = parts.flatMap(([part, tree]) => treePairs(tree, weights.inner(part)))
  if (own.length === 0) return pairs
  const stored = weights.take(own.map(({ name }) => name))
  return [...own.map((tensor, i): Pair => [tensor, stored[i]]), ...pairs]
}

function treeTensors({ own, inner = {} }: TensorTree): readonly KerasTensor[] {
  return [...own, ...Object.values(inner).flatMap(treeTensors)]
}
