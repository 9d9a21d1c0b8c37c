/** What a layer and a model are, and how parameters are found in them. */
import type { PlanStep } from '../kernels/contract.ts'
import { ModelBuffer, Parameter, type Tensor } from '../tensor.ts'

/** Carried state, opaque to everyone but the layer or model that returned it. */
export type State = unknown

export interface ForwardOptions {
  /** Valid steps of each sequence of the batch; the rest is padding. Default: all. */
  lengths?: Int32Array
  /**
   * [B·T], 0 where a step does not count: such steps may be anywhere, where those that `lengths` leaves out are at the end.
   * An LSTM keeps its state there. Default: all that `lengths` allows count.
   */
  mask?: Uint8Array
  /** What is to come of x, for models that learn each part of it from the parts before: [B, T], with a T of its own. */
  target?: Tensor
  /** The state a previous call returned; `null` starts from zeros and asks for the state in return. */
  state?: State
}

export interface Output {
  output: Tensor
  state: State
}

/** Anything with a `forward` is a model; layers found in its fields are its parameters. */
export interface Model {
  /** Whether `forward` reads `target`, so that its output has the target's steps. */
  readonly readsTarget?: boolean
  forward(x: Tensor, options?: ForwardOptions): Tensor | Output
  /** The mask that belongs to the output. Absent: the same, if the output has the same B and T, else none. */
  computeMask?(x: Tensor, mask?: Uint8Array, options?: ForwardOptions): Uint8Array | undefined
  /** The lengths that belong to the output. Absent: the same. */
  computeLengths?(lengths: Int32Array): Int32Array
}

/** Parameters plus a forward made of operations. */
export abstract class Layer implements Model {
  /**
   * Whether dropout and zoneout are sampled, and batch normalisation takes its statistics from the batch. Off until
   * `setTraining`; `fit` switches it on for its steps.
   */
  training = false
  readonly readsTarget?: boolean

  abstract forward(x: Tensor, options?: ForwardOptions): Tensor | Output

  computeMask?(x: Tensor, mask?: Uint8Array, options?: ForwardOptions): Uint8Array | undefined

  computeLengths?(lengths: Int32Array): Int32Array

  /** This layer's own parameters under their PyTorch names: by default its fields that are parameters. */
  parameters(): Iterable<[name: string, parameter: Parameter]> {
    return ownParameters(this)
  }

  /** What lies inside this layer, under the path it has in parameter names: by default its fields. */
  children(): Iterable<[path: string, child: object]> {
    return ownChildren(this)
  }

  /**
   * The layer as it runs in evaluation mode, for `compile`: steps of a plan over the layer's own arrays.
   *
   * @throws {TypeError} if the layer has no such form
   */
  freeze(): readonly PlanStep[] {
    throw new TypeError(
      `compile: ${this.constructor.name} has no frozen form; call its forward inside noGrad`,
    )
  }

  /** What a file needs to build the layer again: its class and options. */
  abstract config(): LayerConfig
}

export interface LayerConfig {
  type: string
  [option: string]: unknown
}

/** Every layer of a model with the path it stands under; a layer that stands in two places comes once. */
export function* layersOf(model: object): Iterable<[path: string, layer: Layer]> {
  for (const [path, part] of partsOf(model)) if (part instanceof Layer) yield [path, part]
}

/** Every parameter of a model under its PyTorch name, e.g. `encoder.weight_ih_l0`; a shared one comes once. */
export function parametersOf(model: object): Map<string, Parameter> {
  const found = new Map<string, Parameter>()
  const seen = new Set<Parameter>()
  for (const [path, part] of partsOf(model)) {
    for (const [name, parameter] of part instanceof Layer ? part.parameters() : ownParameters(part)) {
      if (seen.has(parameter)) continue
      seen.add(parameter)
      found.set(path ? `${path}.${name}` : name, parameter)
    }
  }
  return found
}

/**
 * Where parameters stand a second time: the path of the other place and that under which `parametersOf` has the parameter, e.g.
 * `2.weight` and `0.weight` where a Linear shares an Embedding's weight.
 */
export function tiesOf(model: object): Map<string, string> {
  const names = new Map([...parametersOf(model)].map(([name, parameter]) => [parameter, name]))
  const ties = new Map<string, string>()
  for (const [path, layer] of layersOf(model)) {
    for (const [name, parameter] of layer.parameters()) {
      const place = path ? `${path}.${name}` : name
      const owner = names.get(parameter)!
      if (place !== owner) ties.set(place, owner)
    }
  }
  return ties
}

/**
 * Makes layers share parameters as `tiesOf` said of the model that this one is built like.
 *
 * @throws {TypeError | RangeError} if the model has no such parameters, or they differ in shape or type
 */
export function tie(model: object, ties: ReadonlyMap<string, string>): void {
  for (const [place, owner] of ties) {
    const parameter = parametersOf(model).get(owner)
    const at = place.lastIndexOf('.')
    const [, layer] = [...layersOf(model)].find(([path]) => path === place.slice(0, Math.max(at, 0))) ?? []
    const name = place.slice(at + 1)
    const own = layer && (layer as unknown as Record<string, unknown>)[name]
    if (!parameter || !(own instanceof Parameter))
      throw new TypeError(
        `expected parameters ${place} and ${owner} to share, got a model without one of them`,
      )
    if (String(own.shape) !== String(parameter.shape) || own.dataType !== parameter.dataType) {
      const [a, b] = [own, parameter].map(({ dataType, shape }) => `${dataType} [${shape}]`)
      throw new RangeError(`expected parameters ${place} and ${owner} to be alike, got ${a} and ${b}`)
    }
    ;(layer as unknown as Record<string, unknown>)[name] = parameter
  }
}

/** `tensorsOf` with shared parameters under each of their names, as PyTorch's state_dict has them. */
export function allNamesOf(model: object): Map<string, Tensor> {
  const all = tensorsOf(model)
  for (const [place, owner] of tiesOf(model)) all.set(place, all.get(owner)!)
  return all
}

/** Every tensor of a model that is stored with it but not trained, e.g. `1.running_mean`; a shared one comes once. */
export function buffersOf(model: object): Map<string, ModelBuffer> {
  const found = new Map<string, ModelBuffer>()
  const seen = new Set<ModelBuffer>()
  for (const [path, part] of partsOf(model)) {
    for (const [name, value] of Object.entries(part)) {
      if (!(value instanceof ModelBuffer) || seen.has(value)) continue
      seen.add(value)
      found.set(path ? `${path}.${name}` : name, value)
    }
  }
  return found
}

/** What a file holds of a model: its parameters, then its buffers. */
export function tensorsOf(model: object): Map<string, Tensor> {
  return new Map<string, Tensor>([...parametersOf(model), ...buffersOf(model)])
}

/** Switches dropout, zoneout and the statistics of batches on or off in every layer of a model. */
export function setTraining(model: object, training: boolean): void {
  for (const [, layer] of layersOf(model)) layer.training = training
}

/** Runs `body` with dropout and zoneout on or off, and leaves every layer as it was. */
export function inMode<T>(model: Model, { training }: { training: boolean }, body: () => T): T {
  const layers = Array.from(layersOf(model), ([, layer]) => ({ layer, before: layer.training }))
  for (const { layer } of layers) layer.training = training
  try {
    return body()
  } finally {
    for (const { layer, before } of layers) layer.training = before
  }
}

/** The model and everything in it that may hold parameters, each once, parents first. */
function* partsOf(part: object, path = '', seen = new Set<object>()): Iterable<[path: string, part: object]> {
  if (seen.has(part)) return
  seen.add(part)
  yield [path, part]
  for (const [name, child] of part instanceof Layer ? part.children() : ownChildren(part)) {
    yield* partsOf(child, path ? `${path}.${name}` : name, seen)
  }
}

function* ownParameters(part: object): Iterable<[name: string, parameter: Parameter]> {
  for (const [key, value] of Object.entries(part)) if (value instanceof Parameter) yield [key, value]
}

/** Fields that are layers, models or arrays; other objects (options, data) are nobody's parameters. */
function* ownChildren(part: object): Iterable<[path: string, child: object]> {
  for (const [key, value] of Object.entries(part)) {
    if (value === null || typeof value !== 'object') continue
    const holdsLayers = Array.isArray(value) || value instanceof Layer || typeof value.forward === 'function'
    if (holdsLayers) yield [key, value]
  }
}
