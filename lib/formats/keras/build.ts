/** From a model's configuration and tensors to a model of this package. */
import { FileFormatError } from '../../errors.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import type { LayerConfig } from '../../layers/layer.ts'
import { layerFromConfig } from '../../layers/registry.ts'
import type { Sequential } from '../../layers/sequential.ts'
import { type Converted, convert } from './convert.ts'
import { withImageSize } from './image-size.ts'
import type { KerasLayer } from './layer-config.ts'
import { fill, tensorsOf } from './tensors.ts'
import { isModel, layersOf } from './topology.ts'
import type { ModelWeights } from './weights.ts'

/** Models inside models inside models: more is no model but an attack. */
const deepest = 8

/** @throws {FileFormatError} if anything about it cannot be read */
export function buildModel(model: KerasLayer, weights: ModelWeights): Sequential {
  const { config, stored } = convertModel(model, weights, 0)
  weights.end()
  // Read before the model is made: it may be no larger than the numbers that are there for it.
  const numbers = stored.map(({ read, ...each }) => {
    const data = read()
    return { ...each, read: () => data }
  })
  const built = build(model, config)
  fill(tensorsOf(built), numbers, model.source.path)
  return built
}

/** A model with what its output is: see `KerasLayer`. */
interface ConvertedModel extends Converted {
  rank: number | undefined
  isMasked: boolean
}

function convertModel(model: KerasLayer, weights: ModelWeights, depth: number): ConvertedModel {
  if (depth > deepest) model.fail('InvalidConfig', `expected models at most ${deepest} deep in one another`)
  const layers = layersOf(model)
  const parts = weights.ofLayers(layers)
  const converted: Converted[] = []
  let { rank, isMasked } = model
  for (const [i, layer] of layers.entries()) {
    layer.rank = layer.inputShape()?.length ?? rank
    layer.isMasked = isMasked
    const item = layer.className === 'TimeDistributed' ? layer.layer('layer') : undefined
    if (isModel(layer)) {
      const inner = convertModel(layer, parts[i], depth + 1)
      converted.push(inner)
      ;({ rank, isMasked } = inner)
    } else if (item && isModel(item)) {
      item.rank = layer.rank && layer.rank - 1
      const inner = convertModel(item, parts[i].inner('layer'), depth + 1)
      converted.push({ config: { type: 'TimeDistributed', layer: inner.config }, stored: inner.stored })
      rank = inner.rank && inner.rank + 1
      isMasked = layer.outputIsMasked()
    } else {
      converted.push(...convert(layer, parts[i]))
      rank = layer.outputRank()
      isMasked = layer.outputIsMasked()
    }
  }
  for (const part of new Set(parts)) part.end()
  const configs = converted.map((each) => each.config)
  const config: LayerConfig = { type: 'Sequential', layers: withImageSize(configs, layers[0]?.inputShape()) }
  return { config, stored: converted.flatMap((each) => each.stored), rank, isMasked }
}

function build(model: KerasLayer, config: LayerConfig): Sequential {
  try {
    return withoutInitialValues(() => layerFromConfig(config)) as Sequential
  } catch (cause) {
    const { path } = model.source
    throw new FileFormatError(`${path ?? 'Keras'}: its model cannot be built: ${(cause as Error).message}`, {
      code: 'InvalidConfig',
      path,
      cause,
    })
  }
}
