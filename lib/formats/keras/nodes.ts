/** Layers of Keras, as a model of this package is described before it is written. */
import { FileFormatError } from '../../errors.ts'
import { type ActivationFunction, nameOf } from './activations.ts'
import type { Dialect } from './layer-config.ts'
import type { KerasTensor } from './tensors.ts'
import type { InnerPart } from './weights.ts'

/** The tensors of a layer, and those of the layers inside it under the names that Keras has for these. */
export interface TensorTree {
  own: readonly KerasTensor[]
  inner?: Partial<Record<InnerPart, TensorTree>>
}

/** A layer of Keras. */
export interface KerasNode {
  className: string
  tensors: TensorTree
  /** The layers of a model inside the model. */
  layers?: readonly KerasNode[]
  /** A layer inside a wrapper, whose configuration stands in that of the wrapper. */
  wrapped?: readonly [option: string, layer: KerasNode][]
  /** Its options. @throws {FileFormatError} where the dialect has none for what the layer does */
  config(dialect: Dialect): Readonly<Record<string, unknown>>
}

/** What is known, on the way through a model, of the tensor that reaches a layer. */
export interface Reaching {
  /** Some layer before makes a mask, and none has ended it. */
  isMasked: boolean
}

/** A layer that Keras has nothing like. */
export function cannotSave(place: string, message: string): never {
  throw new FileFormatError(`Keras cannot have ${place}: ${message}`, {
    code: 'UnsupportedLayer',
    tensor: place,
  })
}

/** The name of a function. @throws {FileFormatError} if the dialect has none with these numbers */
export function requireName(of: ActivationFunction, place: string, dialect: Dialect): string {
  const name = nameOf(of, dialect)
  if (name !== undefined) return name
  const numbers =
    of.alpha === undefined ? '' : ` of alpha ${of.alpha}${of.beta === undefined ? '' : `, beta ${of.beta}`}`
  return cannotSave(place, `it has no ${of.kind}${numbers}${dialect === 'tfjs' ? ' (TensorFlow.js)' : ''}`)
}
