/** From a short specification and the modules of a file to the layers of a model. */
import { describe, FileFormatError, nearestName } from '../../errors.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import { Layer, type LayerConfig, parametersOf, tensorsOf } from '../../layers/layer.ts'
import { layerFromConfig } from '../../layers/registry.ts'
import { Sequential } from '../../layers/sequential.ts'
import type { Tensor } from '../../tensor.ts'
import {
  type Found,
  fullName,
  type Module,
  type ModuleType,
  matrixOf,
  matrixOptions,
  matrixType,
} from './modules.ts'

/**
 * A layer of a model to be built, one of
 *
 * - `'encoder.lstm'`: a prefix, if names and shapes tell everything;
 * - `{ prefix: 'conv', padding: 'same' }`: a prefix with options that they cannot tell, by the names that the layer's
 *   constructor has, or with the `type`, where a matrix may be a Linear or an Embedding;
 * - `{ type: 'LastStep' }` or `lastStep()`: a layer without parameters, as its config or made.
 */
export type LayerSpecification =
  | string
  | ({ prefix: string; type?: ModuleType } & Options)
  | LayerConfig
  | Layer

type Options = Readonly<Record<string, unknown>>

/** A layer of the model: made already, or to be made and filled. */
export type PlannedLayer = { layer: Layer } | { module: Module; config: LayerConfig }

/**
 * What each layer of a specification is. Nothing is built yet, so that sizes can be checked before.
 *
 * @throws {TypeError} if the specification makes no sense, in itself or with these modules
 * @throws {FileFormatError} MissingModule if a prefix is not in the file
 */
export function planLayers(
  path: string,
  specification: readonly LayerSpecification[],
  found: Found,
): PlannedLayer[] {
  if (!Array.isArray(specification)) {
    throw new TypeError(`loadPyTorch: expected the specification in an array, got ${describe(specification)}`)
  }
  const prefixed = specification.map((each) => asPrefixed(each))
  const used = new Set<string>()
  return specification.map((each, i) => {
    const given = prefixed[i]
    if (!given) return { layer: withoutParameters(each as Layer | LayerConfig, i) }
    const { prefix, type, ...options } = given
    if (used.has(prefix)) {
      throw new TypeError(
        `loadPyTorch: expected a layer for each prefix, got ${JSON.stringify(prefix)} twice`,
      )
    }
    used.add(prefix)
    const module = requireModule(path, prefix, found)
    const next = prefixed.slice(i + 1).find((other) => other !== undefined)
    const isFirst = prefixed.slice(0, i).every((other) => other === undefined)
    const chosen = type ?? typeOf(module, { isFirst, next: next && found.modules.get(next.prefix) })
    return { module, config: configOf(module, chosen, options) }
  })
}

/** The planned model, its parameters zero, and these and its buffers under their names in the file. */
export function buildModel(
  path: string,
  planned: readonly PlannedLayer[],
): { model: Sequential; parameters: Map<string, Tensor> } {
  const parameters = new Map<string, Tensor>()
  const layers = planned.map((each) => {
    if ('layer' in each) return each.layer
    const { prefix } = each.module
    const layer = build(path, prefix, each.config)
    for (const [local, parameter] of tensorsOf(layer)) parameters.set(fullName(prefix, local), parameter)
    return layer
  })
  return { model: new Sequential(layers), parameters }
}

function asPrefixed(each: LayerSpecification): ({ prefix: string; type?: ModuleType } & Options) | undefined {
  if (typeof each === 'string') return { prefix: each }
  if (each instanceof Layer) return undefined
  if (each === null || typeof each !== 'object') {
    throw new TypeError(
      `loadPyTorch: expected a prefix, a layer or { prefix, ...options }, got ${describe(each)}`,
    )
  }
  return 'prefix' in each ? (each as { prefix: string }) : undefined
}

function withoutParameters(each: Layer | LayerConfig, i: number): Layer {
  const layer = each instanceof Layer ? each : layerFromConfig(each)
  if (parametersOf(layer).size === 0) return layer
  throw new TypeError(
    `loadPyTorch: layer ${i} (${layer.constructor.name}) has parameters; expected { prefix: ... } that says which`,
  )
}

function requireModule(path: string, prefix: string, { modules, strangers }: Found): Module {
  const module = modules.get(prefix)
  if (module) return module
  const known = [...modules.keys()]
  const nearest = nearestName(prefix, known)
  const hint =
    nearest === undefined ? `it has ${known.join(', ')}` : `the nearest is ${JSON.stringify(nearest)}`
  const message = `${path}: has no module ${JSON.stringify(prefix)} that is known: ${strangers.get(prefix) ?? hint}`
  throw new FileFormatError(message, { code: 'MissingModule', path })
}

/** Which of its types a module is: a Linear layer has something before it, or fits what comes next with its rows. */
function typeOf(
  module: Module,
  { isFirst, next }: { isFirst: boolean; next: Module | undefined },
): ModuleType {
  const { prefix, types } = module
  if (types.length === 1) return types[0]
  if (!isFirst) return 'Linear'
  const type = matrixType(module, next)
  if (type) return type
  throw new TypeError(
    `loadPyTorch: ${JSON.stringify(prefix)} may be an Embedding or a Linear without bias; expected ` +
      `{ prefix: ${JSON.stringify(prefix)}, type: 'Embedding' } or the like`,
  )
}

function configOf({ prefix, types, options, shapes }: Module, type: ModuleType, given: Options): LayerConfig {
  if (!types.includes(type)) {
    throw new TypeError(
      `loadPyTorch: the tensors of ${JSON.stringify(prefix)} are those of ${types.join(' or ')}, got type ${describe(type)}`,
    )
  }
  const isMatrix = types.length > 1
  const sizes = isMatrix ? matrixOptions(type as 'Linear' | 'Embedding', matrixOf(shapes)) : {}
  const config = { type, ...options, ...sizes, ...given }
  // The weight of a convolution in groups has the channels of one group.
  if (typeof given.groups === 'number') {
    return { ...config, inputChannels: (options.inputChannels as number) * given.groups }
  }
  return config
}

function build(path: string, prefix: string, config: LayerConfig): Layer {
  try {
    return withoutInitialValues(() => layerFromConfig(config))
  } catch (cause) {
    throw new TypeError(
      `loadPyTorch: ${path}: ${JSON.stringify(prefix)} cannot be built: ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
}
