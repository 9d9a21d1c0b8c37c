/** One link of a chain on its way to a layer. */
import type { FloatArray } from '../../kernels/contract.ts'
import type { Layer } from '../../layers/layer.ts'
import { TimeDistributed } from '../../layers/steps.ts'
import type { Tensor } from '../../tensor.ts'
import type { Axis } from './axes.ts'
import type { Link } from './chain.ts'
import type { Fail } from './fail.ts'
import { placeOf } from './node.ts'
import { Call } from './operators/operator.ts'
import { isFloat, type Memory, type Value } from './values.ts'

/** How far an attempt came, and what later layers need of earlier ones. */
export interface Progress {
  /** How many checks of axes went well: of two attempts the one with more tells what is in the way. */
  checks: number
  /** Rows and columns, as far as the input says, until a layer has gone over them. */
  size?: readonly (number | undefined)[]
  /** Channels, rows and columns of the image that became features last. */
  image?: readonly number[]
}

export interface Context {
  /** The value of a name in a probe run. */
  probed(name: string): Value | undefined
  memory: Memory
  constants: ReadonlyMap<string, Value>
  progress: Progress
  fail: Fail
}

/** A link with what its layer is made of. */
export class Step {
  readonly link: Link
  readonly call: Call
  readonly axes: readonly Axis[]
  readonly shape: readonly number[]
  readonly target: readonly number[]
  readonly layers: Layer[]
  readonly context: Context

  constructor(link: Link, axes: readonly Axis[], layers: Layer[], context: Context) {
    const { node, from, to } = link
    this.link = link
    this.axes = axes
    this.layers = layers
    this.shape = context.probed(from)!.shape
    this.target = context.probed(to)!.shape
    this.context = context
    this.call = new Call({
      inputs: node.inputs.map((name) => (name === '' ? undefined : context.probed(name))),
      opset: node.opset,
      wanted: [],
      memory: context.memory,
      attributes: node.attributes,
    })
  }

  refuse(message: string): never {
    return this.context.fail('NoStack', `${placeOf(this.link.node)}: ${message}`)
  }

  /** An input that is a weight: a constant of floats. */
  weight(i: number): Value {
    const name = this.link.node.inputs[i]
    const value = this.context.constants.get(name)
    if (value && isFloat(value)) return value
    return this.refuse(`expected ${JSON.stringify(name)} to be a constant of floats`)
  }

  /** Whether each item of the batch is a step of a sequence. */
  get isOnSteps(): boolean {
    return this.axes[0] === 'bt' || this.axes[0] === 'tb'
  }

  requireAxes(...expected: readonly Axis[]): void {
    if (String(this.axes) !== String(expected)) this.refuse(`expected the axes ${expected}, got ${this.axes}`)
    this.context.progress.checks++
  }

  /** @returns whether they stand in the order of an image, so that the columns of what reads them are to be turned */
  requireFeaturesLast({ ofImages = false } = {}): boolean {
    const isOfImage = ofImages && this.axes.at(-1) === 'c'
    if (this.axes.at(-1) !== 'f' && !isOfImage)
      this.refuse(`expected the features on the last axis, got ${this.axes}`)
    return isOfImage
  }

  /** Turns rows of features, as the graph has them, into the order in which Flatten gives them here: channels last. */
  turnImages(rows: FloatArray): void {
    const [C, H, W] = this.context.progress.image!
    const places = H * W
    const row = rows.slice(0, C * places)
    for (let start = 0; start < rows.length; start += row.length) {
      row.set(rows.subarray(start, start + row.length))
      for (let c = 0; c < C; c++)
        for (let at = 0; at < places; at++) rows[start + at * C + c] = row[c * places + at]
    }
  }
}

/** Adds the layers of a step. @returns what the axes are afterwards */
export type Translate = (step: Step) => readonly Axis[]

export function add(step: Step, layer: Layer): readonly Axis[] {
  step.layers.push(layer)
  return step.axes
}

/** Adds a layer that looks at more than the last axis: where steps are the items of the batch, at every step. */
export function addToItems(step: Step, layer: Layer): readonly Axis[] {
  return add(step, step.isOnSteps ? new TimeDistributed(layer) : layer)
}

export function floatType({ type }: Value): 'float32' | 'float64' {
  return type === 'float64' ? 'float64' : 'float32'
}

/** Copies numbers into a parameter, one for all if there is but one. */
export function fill(parameter: Tensor, data: ArrayLike<number>): void {
  if (data.length === 1) parameter.array.fill(data[0])
  else parameter.array.set(data)
}
