/** What `next` and a batcher's `predict` take for x, checked and copied. */
import { describe } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { Tensor } from '../tensor.ts'
import type { Request, RequestStore } from './requests.ts'
import type { PlanParts } from './traits.ts'

/** A sequence, [T, I] as a typed array of the plan's type or a tensor; int32 [T] where the model begins with an Embedding. */
export type WholeSequence = FloatArray | Int32Array | Tensor

/** A sequence or some steps of it, or a single step: [I], or an index. */
export type SequenceInput = number | WholeSequence

/** Whose input is read: the request, and the store that it is of. */
export interface Reader {
  plan: PlanParts
  store: RequestStore
}

/** @throws {RangeError} if x does not fit the plan */
export function readInput(reader: Reader, x: SequenceInput, request: Request, isStream: boolean): void {
  const { plan } = reader
  if (plan.vocabulary > 0) readIndices(reader, x, request, isStream)
  else readFeatures(reader, x, request, isStream)
  if (plan.sharing === 'equal') plan.stepsAfter(request.steps)
}

function readFeatures({ plan, store }: Reader, x: SequenceInput, request: Request, isStream: boolean): void {
  const { inputWidth, inputLike } = plan
  const array = x instanceof Tensor ? x.array : (x as FloatArray)
  // Nearly always: a step of a stream, of few features.
  const isStep = isStream && array !== x ? (x as Tensor).shape.length === 1 : array?.length === inputWidth
  const isFitting =
    array?.constructor === inputLike.constructor &&
    array.length > 0 &&
    (array === x ? array.length % inputWidth === 0 : fits((x as Tensor).shape, inputWidth, isStream))
  if (!isFitting) refuse(plan, x, isStream)
  request.isStep = isStream && isStep
  store.hold(request, array, array.length / inputWidth)
}

function fits(shape: readonly number[], width: number, isStream: boolean): boolean {
  if (shape.length === 2) return shape[1] === width
  return isStream && shape.length === 1 && shape[0] === width
}

function readIndices({ plan, store }: Reader, x: SequenceInput, request: Request, isStream: boolean): void {
  const { vocabulary } = plan
  const isStep = typeof x === 'number' || (x instanceof Tensor && x.shape.length === 0)
  const array = typeof x === 'number' ? [x] : x instanceof Tensor ? x.array : x
  const isTyped = typeof x === 'number' || array instanceof Int32Array
  if (
    !isTyped ||
    array.length === 0 ||
    (isStep && !isStream) ||
    (x instanceof Tensor && x.shape.length > 1)
  ) {
    refuse(plan, x, isStream)
  }
  for (let t = 0; t < array.length; t++) {
    const index = array[t]
    if (index >= 0 && index < vocabulary && Number.isInteger(index)) continue
    throw new RangeError(
      `${isStream ? 'next' : 'predict'}: expected indices in [0, ${vocabulary}), got ${index} at ${t}`,
    )
  }
  request.isStep = isStep
  if (typeof x === 'number') {
    request.row[0] = x
    request.steps = 1
  } else store.hold(request, array as Int32Array, array.length)
}

function refuse({ vocabulary, inputWidth, like }: PlanParts, x: SequenceInput, isStream: boolean): never {
  const type = like instanceof Float64Array ? 'float64' : 'float32'
  const step = vocabulary ? 'one index' : `[${inputWidth}]`
  const sequence = vocabulary ? '[T] and type int32' : `[T, ${inputWidth}] and type ${type}`
  const got = x instanceof Tensor ? `[${x.shape}] of ${x.dataType}` : describe(x)
  throw new RangeError(
    `${isStream ? 'next' : 'predict'}: expected x of shape ${isStream ? `${step} or ` : ''}${sequence}, T at least 1, got ${got}`,
  )
}
