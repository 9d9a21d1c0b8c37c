/** A model frozen for inference: weights packed once, and a whole pass in one native call. */
import { describe, refuseUnknownOptions } from '../errors.ts'
import type { CompiledPlan, FloatArray, Kernels } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { changesSteps, endsInOneStep, type Sized, sizeSteps, stepsAfter } from '../kernels/plan-widths.ts'
import { Layer, parametersOf } from '../layers/layer.ts'
import { requireMask } from '../operations/common.ts'
import { Tensor, type TensorArray } from '../tensor.ts'

export interface PredictOptions {
  /** B counts of valid steps in [0, T]; default T. */
  lengths?: Int32Array
  /** B·T bytes, 0 where a step does not count, as in the options of `forward`. */
  mask?: Uint8Array
  /**
   * The state after a previous call, [B, stateSize]; null starts from zeros. Where it is given the new state is
   * returned beside the output.
   */
  state?: Tensor | null
  /**
   * Where to write the result, of the result's shape: saves the memory of a new one, which for large results costs as
   * much as a thread gains. Default: a new tensor.
   */
  output?: Tensor
}

const optionNames = ['lengths', 'mask', 'output', 'state']

/**
 * Packs a model for inference. The plan keeps a copy of the parameters as they are now, and runs the model in
 * evaluation mode, in float32 on the back end in use, in float64 on the reference. A row's result does not depend on the
 * rest of the batch or on the number of threads by a single bit.
 *
 * @param model a layer of the package, or a `Sequential` of them
 * @throws {TypeError} if a layer has no frozen form: models with a `forward` of their own have none
 */
export function compile(model: Layer): Plan {
  if (!(model instanceof Layer)) {
    throw new TypeError(`compile: expected a Sequential or a layer of the package, got ${describe(model)}`)
  }
  return new Plan(model)
}

export class Plan {
  /** Features of x, or 0 where x holds int32 indices. */
  readonly inputSize: number
  readonly outputSize: number
  /** Floats of a sequence's state: of every LSTM layer h and c. */
  readonly stateSize: number
  /** Indices in x are below this; 0 where x holds features. */
  readonly #vocabulary: number
  readonly #endsInOneStep: boolean
  /** The steps that may make another T of theirs. */
  readonly #onTime: readonly Sized[]
  readonly #kernels: Kernels
  readonly #plan: CompiledPlan
  readonly #like: FloatArray

  /** @internal Use `compile`. */
  constructor(model: Layer) {
    const steps = model.freeze()
    const { sized } = sizeSteps(steps)
    const [first] = parametersOf(model).values()
    this.#like = (first?.array ?? new Float32Array(0)) as FloatArray
    this.#kernels = kernelsFor(this.#like)
    this.#plan = this.#kernels.compilePlan(steps)
    this.#vocabulary = steps[0].kind === 'embedding' ? steps[0].V : 0
    this.#endsInOneStep = steps.some(endsInOneStep)
    this.#onTime = sized.filter(({ step }) => changesSteps(step))
    this.inputSize = this.#vocabulary ? 0 : sized[0].input
    this.outputSize = sized.at(-1)!.output
    this.stateSize = this.#plan.stateWidth
  }

  /**
   * @param x [B, T, inputSize], or int32 [B, T] where the model begins with an Embedding
   * @returns [B, S, outputSize], S being T unless convolutions or pools change it, or [B, outputSize] where one step is left:
   *   after a lastStep, an LSTM that returns no sequences, a global pool or a Flatten; with `state` in the options also the new state
   * @throws {TypeError | RangeError} if x, the lengths, the mask or the state do not fit
   */
  predictSync(
    x: Tensor,
    options: PredictOptions & { state: Tensor | null },
  ): { output: Tensor; state: Tensor }
  predictSync(x: Tensor, options?: PredictOptions): Tensor
  predictSync(x: Tensor, options?: PredictOptions): Tensor | { output: Tensor; state: Tensor } {
    const [B, T] = this.#requireInput(x)
    if (options) refuseUnknownOptions('predictSync', options, optionNames)
    const lengths = options?.lengths
    const mask = options?.mask
    if (mask) requireMask('predict', mask, { B, T })
    const state = options?.state
    const isStateful = state !== undefined
    let S = T
    for (const each of this.#onTime) S = stepsAfter(each, S)
    const output = options?.output ? this.#requireOutput(options.output, B, S) : this.#newOutput(B, S)
    const finalState = isStateful ? this.#floats(B * this.stateSize) : undefined
    this.#kernels.runPlan({
      plan: this.#plan,
      B,
      T,
      x: x.array as FloatArray | Int32Array,
      y: output.array as FloatArray,
      lengths: lengths && this.#requireLengths(lengths, B, T),
      mask,
      initialState: state ? this.#requireState(state, B) : undefined,
      finalState,
    })
    output.touch()
    return finalState ? { output, state: new Tensor([B, this.stateSize], finalState) } : output
  }

  #floats(length: number): FloatArray {
    return this.#like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
  }

  #newOutput(B: number, T: number): Tensor {
    if (this.#endsInOneStep) return new Tensor([B, this.outputSize], this.#floats(B * this.outputSize))
    return new Tensor([B, T, this.outputSize], this.#floats(B * T * this.outputSize))
  }

  #requireOutput(output: Tensor, B: number, T: number): Tensor {
    const { shape } = output
    const isSized = this.#endsInOneStep
      ? shape.length === 2 && shape[0] === B && shape[1] === this.outputSize
      : shape.length === 3 && shape[0] === B && shape[1] === T && shape[2] === this.outputSize
    if (isSized && output.array.constructor === this.#like.constructor) return output
    const expected = this.#endsInOneStep ? [B, this.outputSize] : [B, T, this.outputSize]
    throw new RangeError(
      `predict: expected output of shape [${expected}], got [${shape}] of ${output.dataType}`,
    )
  }

  #requireInput({ shape, array, dataType }: Tensor): readonly number[] {
    if (this.#vocabulary) return this.#requireIndices(shape, array)
    const type = this.#like instanceof Float64Array ? 'float64' : 'float32'
    if (shape.length === 3 && shape[2] === this.inputSize && dataType === type) return shape
    const expected = `[B, T, ${this.inputSize}] and type ${type}`
    throw new RangeError(`predict: expected x of shape ${expected}, got [${shape}] of ${dataType}`)
  }

  #requireIndices(shape: readonly number[], array: TensorArray): readonly number[] {
    if (shape.length !== 2 || !(array instanceof Int32Array)) {
      throw new RangeError(
        `predict: expected x of shape [B, T] and type int32, got [${shape}] of ${describe(array)}`,
      )
    }
    const odd = array.findIndex((index) => index < 0 || index >= this.#vocabulary)
    if (odd < 0) return shape
    throw new RangeError(`predict: expected indices in [0, ${this.#vocabulary}), got ${array[odd]} at ${odd}`)
  }

  #requireLengths(lengths: Int32Array, B: number, T: number): Int32Array {
    const odd = lengths.findIndex((length) => length < 0 || length > T)
    if (lengths instanceof Int32Array && lengths.length === B && odd < 0) return lengths
    const got = odd < 0 ? describe(lengths) : `${lengths[odd]} at ${odd}`
    throw new RangeError(
      `predict: expected lengths as an Int32Array of ${B} values from 0 to ${T}, got ${got}`,
    )
  }

  #requireState({ shape, array, dataType }: Tensor, B: number): FloatArray {
    const fits = shape.length === 2 && shape[0] === B && shape[1] === this.stateSize
    if (fits && array.constructor === this.#like.constructor) return array as FloatArray
    const expected = `[${B}, ${this.stateSize}]`
    throw new RangeError(
      `predict: expected a state of shape ${expected} from this plan, got [${shape}] of ${dataType}`,
    )
  }
}
