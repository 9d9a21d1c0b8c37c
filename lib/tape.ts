/**
 * Reverse-mode differentiation. Every operation on tensors that need gradients leaves a node; `backward` runs the nodes
 * that a loss depends on, newest first, each adding to the gradients of its inputs. An operation's buffers go back to
 * the pool as soon as its node has run, so a graph runs backward once.
 */
import { giveBuffer, takeBuffer, takeZeros } from './buffers.ts'
import type { FloatArray } from './kernels/contract.ts'
import { Parameter, sizeOf, Tensor } from './tensor.ts'

/** The accumulator for an input's gradient, or undefined where none is needed. */
export type GradientOf = (input: Tensor) => FloatArray | undefined

export interface Node {
  readonly name: string
  readonly order: number
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly Tensor[]
  /** Adds to the gradients of the inputs; absent once it has run. */
  backward: Backward | undefined
  /** The tape's `backward`, which tensor.ts, being a leaf, reaches through the node. */
  readonly differentiate: typeof backward
}

/**
 * @param gradients of the outputs, in order; undefined for an output the loss does not depend on
 * @param gradientOf where to add the gradient of an input
 */
export type Backward = (gradients: readonly (FloatArray | undefined)[], gradientOf: GradientOf) => void

let recording = true
let parametersAreConstant = false
let scope: Tensor[] | undefined
let clock = 0

/** Whether an operation on these inputs will be recorded: whether it needs to keep anything for the backward pass. */
export function needsGradient(inputs: readonly (Tensor | undefined)[]): boolean {
  return recording && inputs.some((input) => input !== undefined && isDifferentiable(input))
}

function isDifferentiable(input: Tensor): boolean {
  return input.requiresGrad && !(parametersAreConstant && input instanceof Parameter)
}

/** Runs `body` without recording: nothing inside can be differentiated, and nothing is kept for it. */
export function noGrad<T>(body: () => T): T {
  const outer = recording
  recording = false
  try {
    return body()
  } finally {
    recording = outer
  }
}

/**
 * Runs `body` with parameters as constants, recording even inside `noGrad`: a `backward` in it reaches only tensors made
 * by hand, costs no gradient of a weight, and leaves the `grad` of every parameter as it was.
 */
export function differentiateInputs<T>(body: () => T): T {
  const outer = { recording, parametersAreConstant }
  recording = true
  parametersAreConstant = true
  try {
    return body()
  } finally {
    ;({ recording, parametersAreConstant } = outer)
  }
}

/**
 * Runs `body` and then gives back to the pool the memory of every tensor made inside whose `.data` was not read. Such a
 * tensor throws when it is used afterwards. `fit` runs each step so.
 */
export function recycle<T>(body: () => T): T {
  const outer = scope
  scope = []
  try {
    return body()
  } finally {
    for (const made of scope) {
      const array = made.release()
      if (array) giveBuffer(array)
    }
    scope = outer
  }
}

/** Memory for an operation's output, with arbitrary contents. */
export function outputBuffer(like: FloatArray, length: number): FloatArray {
  return scope
    ? takeBuffer(like, length)
    : like instanceof Float64Array
      ? new Float64Array(length)
      : new Float32Array(length)
}

/** What an operation returns: tensors for its outputs, tied to `backward` where a gradient is needed. */
export function record(
  name: string,
  inputs: readonly (Tensor | undefined)[],
  outputs: readonly { shape: readonly number[]; array: FloatArray | Tensor }[],
  run: Backward,
): Tensor[] {
  const present = inputs.filter((input) => input !== undefined)
  const tracked = needsGradient(present)
  const tensors = outputs.map(({ shape, array }) => new Tensor(shape, array, tracked))
  scope?.push(...tensors)
  if (tracked) {
    const node: Node = {
      name,
      order: clock++,
      inputs: present,
      outputs: tensors,
      backward: run,
      differentiate: backward,
    }
    for (const made of tensors) made.node = node
  }
  return tensors
}

/** `record` for the common operation with one output. */
export function recordOne(
  name: string,
  inputs: readonly (Tensor | undefined)[],
  shape: readonly number[],
  array: FloatArray | Tensor,
  run: (dy: FloatArray, gradientOf: GradientOf) => void,
): Tensor {
  return record(name, inputs, [{ shape, array }], ([dy], gradientOf) => run(dy!, gradientOf))[0]
}

/**
 * Adds ∂loss/∂leaf to the `grad` of every leaf that `loss` depends on.
 *
 * @param gradient ∂(what is differentiated)/∂loss, of the length of `loss`; 1 for a scalar if left out
 * @throws {RangeError} if `loss` is no scalar and no gradient is given
 * @throws {Error} if nothing was recorded, or the graph was already run backward
 */
export function backward(loss: Tensor, gradient?: FloatArray): void {
  const size = sizeOf(loss.shape)
  if (!gradient && size !== 1) {
    throw new RangeError(`backward: expected a loss of one element or a gradient, got shape [${loss.shape}]`)
  }
  if (gradient && gradient.length !== size) {
    throw new RangeError(`backward: expected a gradient of length ${size}, got ${gradient.length}`)
  }
  const pending = new Map<Tensor, FloatArray>()
  const gradientOf: GradientOf = (input) => {
    if (!isDifferentiable(input)) return undefined
    if (!input.node) return input.accumulator()
    const like = input.array as FloatArray
    let sum = pending.get(input)
    if (!sum) pending.set(input, (sum = takeZeros(like, like.length)))
    return sum
  }
  pending.set(loss, seedOf(loss, gradient))

  for (const node of nodesBelow(loss)) {
    if (!node.backward)
      throw new Error(`backward: ${node.name} was already run backward; compute the loss anew`)
    const gradients = node.outputs.map((output) => pending.get(output))
    for (const [i, output] of node.outputs.entries()) if (output.retainsGrad) keep(output, gradients[i])
    if (gradients.some((array) => array)) node.backward(gradients, gradientOf)
    node.backward = undefined
    for (const output of node.outputs) {
      const array = pending.get(output)
      if (array) giveBuffer(array)
      pending.delete(output)
    }
  }
}

/** Adds a gradient to what the tensor shows. */
function keep(output: Tensor, gradient: FloatArray | undefined): void {
  const sum = output.accumulator()
  for (let i = 0; gradient && i < sum.length; i++) sum[i] += gradient[i]
}

/** ∂(what is differentiated)/∂loss in a buffer of the tape's own. */
function seedOf(loss: Tensor, gradient: FloatArray | undefined): FloatArray {
  const seed = takeBuffer(loss.array as FloatArray, sizeOf(loss.shape))
  if (gradient) seed.set(gradient)
  else seed.fill(1)
  return seed
}

/** Every node that `loss` depends on, newest first. */
function nodesBelow(loss: Tensor): Node[] {
  const found = new Set<Node>()
  const open = loss.node ? [loss.node] : []
  for (let node = open.pop(); node; node = open.pop()) {
    if (found.has(node)) continue
    found.add(node)
    for (const input of node.inputs) if (input.node) open.push(input.node)
  }
  return [...found].sort((a, b) => b.order - a.order)
}
