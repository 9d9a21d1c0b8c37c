/** Tensor: a shape, a typed array in row-major order and, where asked for, a gradient. */
import { describe } from './errors.ts'
import type { FloatArray } from './kernels/contract.ts'
import type { Node } from './tape.ts'

export type DataType = 'float32' | 'float64' | 'int32'
export type TensorArray = FloatArray | Int32Array
export type Nested = number | readonly Nested[]

/** The last version given to any tensor. */
let versions = 0

export class Tensor {
  readonly shape: readonly number[]
  /** Whether `backward` computes a gradient for this tensor or for what it was made from. */
  readonly requiresGrad: boolean
  /**
   * ∂loss/∂this, of the same length as `data`: added to by every `backward` for tensors made by hand (leaves) and
   * parameters, and for results of operations after `retainGrad`. Cleared by `zeroGrad`.
   */
  grad: FloatArray | undefined
  /** @internal The operation that made this tensor, for the backward pass. */
  node: Node | undefined
  /** @internal Whether `backward` leaves the gradient of a result of an operation in `grad`. */
  retainsGrad = false
  readonly #base: Tensor | undefined
  #array: TensorArray | undefined
  #escaped = false
  #version: number | undefined

  /** @internal Use `tensor()`, `zeros()` or an operation. With `base`, a view that shares that tensor's array. */
  constructor(shape: readonly number[], source: TensorArray | Tensor, requiresGrad = false) {
    this.shape = shape
    this.requiresGrad = requiresGrad
    if (source instanceof Tensor) this.#base = source.#base ?? source
    else this.#array = source
  }

  get size(): number {
    return this.array.length
  }

  get dataType(): DataType {
    const { array } = this
    if (array instanceof Int32Array) return 'int32'
    return array instanceof Float64Array ? 'float64' : 'float32'
  }

  /**
   * The elements in row-major order: the tensor's own memory, no copy, and maybe part of a larger buffer
   * (`byteOffset`). Write into it whenever you like: of a parameter whose
   * memory was handed out, nothing is kept from call to call. A loop over single steps runs the faster for leaving it
   * alone; `toArray` and `clone` copy.
   */
  get data(): TensorArray {
    this.share()
    return this.array
  }

  /** @internal Says that others hold the array too: it is neither recycled nor moved from now on. */
  share(): void {
    const owner = this.#base ?? this
    owner.#escaped = true
    owner.#version = undefined
  }

  /** @internal The elements, for operations, which do not keep them beyond the step. */
  get array(): TensorArray {
    const array = this.#base ? this.#base.array : this.#array
    if (array) return array
    throw new Error(
      `Tensor [${this.shape}]: its buffer was recycled when the training step that made it ended; ` +
        'call clone() or read .data inside the step to keep it',
    )
  }

  /**
   * @internal A number for what the array holds, which no other contents and no other tensor ever have; undefined where it
   * may change unseen, because somebody outside holds the array.
   */
  get version(): number | undefined {
    return this.#version
  }

  /** @internal For who made the array and gave it to nobody else: from now on `version` tells what it holds. */
  own(): this {
    this.#version = ++versions
    return this
  }

  /** @internal To be called by whoever has written into `array`: what was made of the contents before is out of date. */
  touch(): void {
    const owner = this.#base ?? this
    if (owner.#version) owner.#version = ++versions
  }

  /** @internal Overwrites the elements. */
  write(elements: FloatArray): void {
    this.array.set(elements)
    this.touch()
  }

  /** @internal Ends the tensor's life and returns its array, unless it is a view or somebody has seen its data. */
  release(): FloatArray | undefined {
    const array = this.#array
    if (this.#base || this.#escaped || array instanceof Int32Array) return undefined
    this.#array = undefined
    return array
  }

  /** @internal Whether others may hold the array. */
  get isShared(): boolean {
    return this.#escaped
  }

  /** @internal Moves the elements to another array; what others hold would go stale. */
  moveTo(array: FloatArray): void {
    array.set(this.array)
    this.#array = array
  }

  /** @internal Where `backward` adds the gradient: zeros at first. */
  accumulator(): FloatArray {
    const { array } = this
    return (this.grad ??=
      array instanceof Float64Array ? new Float64Array(array.length) : new Float32Array(array.length))
  }

  /** The only element of a tensor of size 1. @throws {RangeError} if there are more */
  item(): number {
    if (this.size !== 1)
      throw new RangeError(`item: expected a tensor of one element, got shape [${this.shape}]`)
    return this.array[0]
  }

  /** The elements as nested arrays of numbers. */
  toArray(): Nested {
    const { array, shape } = this
    const build = (axis: number, offset: number, stride: number): Nested => {
      if (axis === shape.length) return array[offset]
      const step = stride / shape[axis]
      return Array.from({ length: shape[axis] }, (_, i) => build(axis + 1, offset + i * step, step))
    }
    return build(0, 0, array.length)
  }

  /** The same numbers, without history: nothing flows back through the result. Shares the memory. */
  detach(): Tensor {
    return new Tensor(this.shape, this)
  }

  /** A copy with memory of its own and no history. */
  clone(): Tensor {
    return new Tensor(this.shape, this.array.slice())
  }

  /**
   * Adds ∂this/∂leaf to the `grad` of every leaf this tensor depends on; see `backward` in tape.ts.
   *
   * @param gradient the upstream gradient, of the length of `data`; 1 for a tensor of one element if left out
   */
  backward(gradient?: FloatArray): void {
    if (!this.node) {
      throw new Error(
        'backward: the tensor depends on nothing that requires a gradient (was it made inside noGrad?)',
      )
    }
    this.node.differentiate(this, gradient)
  }

  /**
   * Has `backward` leave ∂loss/∂this in `grad` though this is the result of an operation: to see how a gradient passes
   * through a model. @returns this tensor
   *
   * @throws {Error} if the tensor needs no gradient
   */
  retainGrad(): this {
    if (!this.requiresGrad) {
      throw new Error(
        'retainGrad: the tensor depends on nothing that requires a gradient (was it made inside noGrad?)',
      )
    }
    this.retainsGrad = true
    return this
  }

  zeroGrad(): void {
    this.grad?.fill(0)
  }
}

/** A trainable tensor: what `parametersOf(model)` finds and optimizers update. */
export class Parameter extends Tensor {
  #home: FloatArray | undefined
  #isHomeFree = false

  /** @param isShared @internal false where nobody else holds the array: an optimizer may then move the elements */
  constructor(shape: readonly number[], array: FloatArray, isShared = true) {
    super(shape, array, true)
    if (isShared) this.share()
    else this.own()
  }

  /** @internal The place of its gradient in an arena, if it lives in one; see training/arena.ts. */
  get home(): FloatArray | undefined {
    return this.#home
  }

  /** @internal Moves into an arena for good: the elements now, the gradient when there is one. */
  settle(data: FloatArray, gradient: FloatArray): void {
    this.moveTo(data)
    this.#home = gradient
    this.#isHomeFree = true
  }

  /** @internal The first gradient after the move stands at home; one after that has been taken away does not: it may be kept. */
  override accumulator(): FloatArray {
    if (!this.grad && this.#isHomeFree) {
      this.grad = this.#home
      this.#isHomeFree = false
    }
    return super.accumulator()
  }
}

/**
 * A tensor that belongs to a model without being trained, as a buffer of PyTorch: `buffersOf(model)` finds it, files and
 * checkpoints hold it beside the parameters.
 */
export class ModelBuffer extends Tensor {}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}

/**
 * A tensor from nested arrays or a typed array. Typed arrays are not copied and give the data type; nested numbers
 * become float32 unless `dataType` says otherwise.
 *
 * @throws {RangeError} if the numbers do not fill the shape, or rows have different lengths
 */
export function tensor(
  source: Nested | TensorArray,
  {
    shape,
    dataType = 'float32',
    requiresGrad = false,
  }: { shape?: readonly number[]; dataType?: DataType; requiresGrad?: boolean } = {},
): Tensor {
  const isTyped = ArrayBuffer.isView(source)
  const array = isTyped
    ? source
    : arrayOfType(dataType, (Array.isArray(source) ? source.flat(Infinity) : [source]) as number[])
  const whole = shape ?? (isTyped ? [array.length] : shapeOf(source))
  if (sizeOf(whole) !== array.length) {
    throw new RangeError(
      `tensor: expected ${sizeOf(whole)} elements for shape [${whole}], got ${array.length}`,
    )
  }
  if (requiresGrad && array instanceof Int32Array)
    throw new TypeError('tensor: int32 tensors have no gradient')
  return new Tensor(whole, array, requiresGrad)
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], { dataType = 'float32' as DataType } = {}): Tensor {
  return new Tensor(shape, arrayOfType(dataType, sizeOf(shape)))
}

function arrayOfType(dataType: DataType, source: number | number[]): TensorArray {
  const types = { float32: Float32Array, float64: Float64Array, int32: Int32Array }
  const type = types[dataType]
  if (!type)
    throw new TypeError(`tensor: expected dataType float32, float64 or int32, got ${describe(dataType)}`)
  return typeof source === 'number' ? new type(source) : new type(source)
}

function shapeOf(source: Nested): number[] {
  if (!Array.isArray(source)) return []
  const inner = source.map(shapeOf)
  const ragged = inner.findIndex((shape) => String(shape) !== String(inner[0]))
  if (ragged > 0) {
    throw new RangeError(`tensor: row ${ragged} has shape [${inner[ragged]}], row 0 has [${inner[0]}]`)
  }
  return [source.length, ...(inner[0] ?? [])]
}
