/** Random starting values of parameters. Drawn in double precision, so both data types start from the same numbers. */
import { describe } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { ambientRandom, Random } from '../random.ts'
import { ModelBuffer, Parameter, sizeOf } from '../tensor.ts'

export type FloatDataType = 'float32' | 'float64'

let areValuesDrawn = true
let elementsLeft = Number.POSITIVE_INFINITY

/**
 * Runs `make` with an `Initialiser` that leaves parameters at zero: for models whose values come from a file.
 *
 * @param mostElements of all parameters: no more than the file has, whatever it says of the model. A call inside another
 *   has no more than is left of that one's
 * @throws {RangeError} before more are allocated
 */
export function withoutInitialValues<T>(make: () => T, mostElements = Number.POSITIVE_INFINITY): T {
  const before = { areValuesDrawn, elementsLeft }
  const most = Math.min(before.elementsLeft, mostElements)
  areValuesDrawn = false
  elementsLeft = most
  try {
    return make()
  } finally {
    areValuesDrawn = before.areValuesDrawn
    const isLimited = Number.isFinite(before.elementsLeft)
    elementsLeft = isLimited ? before.elementsLeft - (most - elementsLeft) : before.elementsLeft
  }
}

/** Allocates parameters of one data type from one stream of random numbers. */
export class Initialiser {
  readonly #dataType: FloatDataType
  readonly #random: Random

  /** @param options.seed of a stream of its own; without it, the ambient stream is drawn from */
  constructor({ dataType, seed }: { dataType: FloatDataType; seed?: number }) {
    this.#dataType = dataType
    this.#random = seed === undefined ? ambientRandom() : new Random(seed)
  }

  constant(shape: readonly number[], value = 0): Parameter {
    return new Parameter(shape, this.#allocate(sizeOf(shape)).fill(value), false)
  }

  /** No parameter: what training updates without a gradient. */
  buffer(shape: readonly number[], value = 0): ModelBuffer {
    return new ModelBuffer(shape, this.#allocate(sizeOf(shape)).fill(value))
  }

  /** U(-bound, bound) */
  uniform(shape: readonly number[], bound: number): Parameter {
    const array = this.#allocate(sizeOf(shape))
    if (!areValuesDrawn) return new Parameter(shape, array)
    for (let i = 0; i < array.length; i++) array[i] = this.#random.uniform(-bound, bound)
    return new Parameter(shape, array, false)
  }

  /** N(0, deviation²) */
  normal(shape: readonly number[], deviation = 1): Parameter {
    const array = this.#allocate(sizeOf(shape))
    if (!areValuesDrawn) return new Parameter(shape, array)
    for (let i = 0; i < array.length; i++) array[i] = this.#random.normal(0, deviation)
    return new Parameter(shape, array, false)
  }

  /** ln U(1, high): forget biases whose time constants are spread up to `high`. */
  logUniform(array: FloatArray, high: number): void {
    if (!areValuesDrawn) return
    for (let i = 0; i < array.length; i++) array[i] = Math.log(this.#random.uniform(1, high))
  }

  /** [rows, columns] with orthonormal columns, columns ≤ rows, uniformly distributed (Saxe et al. 2014). */
  orthogonal([rows, columns]: readonly [rows: number, columns: number]): Parameter {
    const array = this.#allocate(rows * columns)
    if (!areValuesDrawn) return new Parameter([rows, columns], array)
    const basis: Float64Array[] = []
    while (basis.length < columns) {
      const vector = Float64Array.from({ length: rows }, () => this.#random.normal())
      let before: number
      // Gram & Schmidt, again where most of the vector went away: what remains then is largely rounding error.
      do {
        before = norm(vector)
        for (const earlier of basis) subtractProjection(vector, earlier)
      } while (norm(vector) < before / 2)
      const length = norm(vector)
      basis.push(vector.map((each) => each / length))
    }
    for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) array[i * columns + j] = basis[j][i]
    return new Parameter([rows, columns], array, false)
  }

  #allocate(length: number): FloatArray {
    elementsLeft -= length
    if (elementsLeft < 0) throw new RangeError('the model has more parameters than its file has numbers')
    return this.#dataType === 'float64' ? new Float64Array(length) : new Float32Array(length)
  }
}

/** √(6 / (fanIn + fanOut)), the bound of Glorot & Bengio (2010). */
export function glorotBound(fanIn: number, fanOut: number): number {
  return Math.sqrt(6 / (fanIn + fanOut))
}

/** Throws a TypeError unless the value is a data type that parameters may have. */
export function requireDataType(place: string, dataType: unknown): asserts dataType is FloatDataType {
  if (dataType === 'float32' || dataType === 'float64') return
  throw new TypeError(`${place}: expected dataType float32 or float64, got ${describe(dataType)}`)
}

/** Throws a TypeError unless the value is true or false. */
export function requireBoolean(place: string, name: string, value: unknown): asserts value is boolean {
  if (typeof value === 'boolean') return
  throw new TypeError(`${place}: expected ${name} to be true or false, got ${describe(value)}`)
}

function subtractProjection(vector: Float64Array, unit: Float64Array): void {
  const scale = dot(vector, unit)
  for (let i = 0; i < vector.length; i++) vector[i] -= scale * unit[i]
}

function norm(vector: Float64Array): number {
  return Math.sqrt(dot(vector, vector))
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0
  for (let i = 0; i < a.length; i++) total += a[i] * b[i]
  return total
}
