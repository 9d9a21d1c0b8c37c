/** What a layer and a model are, and how parameters are found in them. */
import { Parameter, type Tensor } from '../tensor.ts'

/** Carried state, opaque to everyone but the layer or model that returned it. */
export type State = unknown

export interface ForwardOptions {
  /** Valid steps of each sequence of the batch; the rest is padding. Default: all. */
  lengths?: Int32Array
  /** The state a previous call returned; `null` starts from zeros and asks for the state in return. */
  state?: State
}

export interface Output {
  output: Tensor
  state: State
}

/** Anything with a `forward` is a model; layers found in its fields are its parameters. */
export interface Model {
  forward(x: Tensor, options?: ForwardOptions): Tensor | Output
}

/** Parameters plus a forward made of operations. */
export abstract class Layer implements Model {
  /** Whether dropout and zoneout are sampled. Off until `setTraining`; `fit` switches it on for its steps. */
  training = false

  abstract forward(x: Tensor, options?: ForwardOptions): Tensor | Output

  /** This layer's own parameters under their PyTorch names. */
  parameters(): Iterable<[name: string, parameter: Parameter]> {
    return []
  }

  /** What a file needs to build the layer again: its class and options. */
  abstract config(): LayerConfig
}

export interface LayerConfig {
  type: string
  [option: string]: unknown
}

/** Every layer of a model with the path it stands under: fields and array elements, joined by dots. */
export function* layersOf(model: object, path = ''): Iterable<[path: string, layer: Layer]> {
  if (model instanceof Layer) yield [path, model]
  for (const [key, value] of Object.entries(model)) {
    if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) continue
    if (value instanceof Parameter) continue
    const isPlain = Array.isArray(value) || value instanceof Layer || typeof (value as Model).forward === 'function'
    if (isPlain) yield* layersOf(value, path ? `${path}.${key}` : key)
  }
}

/** Every parameter of a model under its PyTorch name, e.g. `encoder.weight_ih_l0`. */
export function parametersOf(model: object): Map<string, Parameter> {
  const found = new Map<string, Parameter>()
  for (const [path, layer] of layersOf(model)) {
    for (const [name, parameter] of layer.parameters()) found.set(path ? `${path}.${name}` : name, parameter)
  }
  return found
}

/** Switches dropout and zoneout on or off in every layer of a model. */
export function setTraining(model: object, training: boolean): void {
  for (const [, layer] of layersOf(model)) layer.training = training
}
