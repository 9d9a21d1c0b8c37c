/** What a request may ask for, and its checks. */
import { describe, refuseUnknownOptions, requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { Tensor } from '../tensor.ts'
import type { Request } from './requests.ts'
import { type PlanParts, resultShape } from './traits.ts'
import { highestPriority } from './waiting.ts'

/** What a single request may ask for. */
export interface RequestOptions {
  /** Withdraws the request: its promise is rejected with the signal's reason at once. */
  signal?: AbortSignal
  /** Milliseconds after which it is rejected with a TimeoutError if it still waits; default: none, or the batcher's. */
  timeout?: number
  /** From 0 to 9, the highest first; default 0. */
  priority?: number
}

export interface StatefulOptions extends RequestOptions {
  /** The state after what came before, [1, stateSize]; null starts from zeros. Where it is given the new one is returned. */
  state?: Tensor | null
  /**
   * Where to write the result, of the result's shape, which is returned then: saves the memory of a new one, of which large
   * results leave V8 much to collect. Nobody else may use it until the promise settles. Default: a new tensor.
   */
  output?: Tensor
}

const nextOptions = ['priority', 'signal', 'timeout']
const predictOptions = [...nextOptions, 'output', 'state']

/** @throws what is wrong with them, or the reason of a signal that is aborted */
export function readOptions(
  plan: PlanParts,
  options: StatefulOptions,
  request: Request,
  isStream: boolean,
): void {
  const place = isStream ? 'next' : 'predict'
  refuseUnknownOptions(place, options, isStream ? nextOptions : predictOptions)
  const { signal, timeout, priority, output, state } = options
  if (signal !== undefined) {
    if (!(signal instanceof AbortSignal)) {
      throw new TypeError(`${place}: expected signal to be an AbortSignal, got ${describe(signal)}`)
    }
    if (signal.aborted) throw signal.reason
    request.signal = signal
  }
  if (timeout !== undefined) requireNumber(place, 'timeout', timeout, { low: 0 })
  if (priority !== undefined) {
    if (!Number.isInteger(priority) || priority < 0 || priority > highestPriority) {
      throw new RangeError(
        `${place}: expected priority to be an integer from 0 to ${highestPriority}, got ${describe(priority)}`,
      )
    }
    request.priority = priority
  }
  if (output !== undefined) {
    request.given = requireOutput(plan, output, request.steps)
    request.output = output.array as FloatArray
  }
  if (state === undefined) return
  request.returnsState = true
  if (state) request.initialState = requireState(plan, state).slice()
}

/** @throws {RangeError} unless it is what a sequence of so many steps results in */
function requireOutput(plan: PlanParts, output: Tensor, steps: number): Tensor {
  const { like } = plan
  const expected = resultShape(plan, steps)
  if (output instanceof Tensor) {
    const { shape, array } = output
    const fits = shape.length === expected.length && shape.every((size, i) => size === expected[i])
    if (fits && array.constructor === like.constructor) return output
  }
  const type = like instanceof Float64Array ? 'float64' : 'float32'
  const got = output instanceof Tensor ? `[${output.shape}] of ${output.dataType}` : describe(output)
  throw new RangeError(`predict: expected output of shape [${expected}] and type ${type}, got ${got}`)
}

/** @throws {RangeError} unless it is a state of one sequence */
export function requireState({ stateSize, like }: PlanParts, { shape, array, dataType }: Tensor): FloatArray {
  const fits = shape.length === 2 && shape[0] === 1 && shape[1] === stateSize
  if (fits && array.constructor === like.constructor) return array as FloatArray
  throw new RangeError(
    `predict: expected a state of shape [1, ${stateSize}] from this plan, got [${shape}] of ${dataType}`,
  )
}
