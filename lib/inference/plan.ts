/** A model frozen for inference: weights packed once, and a whole pass in one native call. */
import { describe, refuseUnknownOptions } from '../errors.ts'
import type { FloatArray, Kernels, RunPlan } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { stepsAfter } from '../kernels/plan-widths.ts'
import { Layer, parametersOf } from '../layers/layer.ts'
import { requireMask } from '../operations/common.ts'
import { sizeOf, Tensor, type TensorArray } from '../tensor.ts'
import { type PlanContents, planContents, requireContents, type SharedPlan } from './plan-contents.ts'
import { Scheduler } from './scheduler.ts'
import { requireStreams, Stream, type StreamOptions } from './stream.ts'
import type { PlanParts } from './traits.ts'

export type { SharedPlan } from './plan-contents.ts'

/** What a prediction may be told beside x. */
interface CallOptions {
  /** B counts of valid steps in [0, T]; default T. */
  lengths?: Int32Array
  /** B·T bytes, 0 where a step does not count, as in the options of `forward`. */
  mask?: Uint8Array
  /**
   * The state after a previous call, [B, stateSize]; null starts from zeros. Where it is given the new state is
   * returned beside the output.
   */
  state?: Tensor | null
}

export interface PredictSyncOptions extends CallOptions {
  /**
   * Where to write the result, of the result's shape: saves the memory of a new one, which for large results costs as
   * much as a thread gains. Default: a new tensor.
   */
  output?: Tensor
}

export interface PredictOptions extends CallOptions {
  /** Withdraws the prediction: it is rejected with the signal's reason, at once. */
  signal?: AbortSignal
}

const syncOptionNames = ['lengths', 'mask', 'output', 'state']
const optionNames = ['lengths', 'mask', 'signal', 'state']

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
  const [first] = parametersOf(model).values()
  return new Plan(planContents(model.freeze(), (first?.array ?? new Float32Array(0)) as FloatArray))
}

/**
 * The plan that another thread shares: the same weights, in the same memory.
 *
 * @param shared what `plan.share()` gave there, as `workerData` or a message brought it
 * @throws {TypeError} if it is something else
 * @throws {BackendError} if this thread's back end or target is not the one that packed the weights
 */
export function attach(shared: SharedPlan): Plan {
  return new Plan(requireContents(shared))
}

export class Plan {
  /** @internal */
  readonly contents: PlanContents
  /** @internal */
  readonly kernels: Kernels
  /** Of the plan's own streams. */
  #scheduler: Scheduler | undefined

  /** @internal Use `compile` or `attach`. */
  constructor(contents: PlanContents) {
    this.contents = contents
    this.kernels = kernelsFor(contents.isDouble ? new Float64Array(0) : new Float32Array(0))
  }

  /** Features of x, or 0 where x holds int32 indices. */
  get inputSize(): number {
    return this.contents.inputSize
  }

  get outputSize(): number {
    return this.contents.outputSize
  }

  /** Floats of a sequence's state: of every LSTM layer h and c. */
  get stateSize(): number {
    return this.contents.compiled.stateWidth
  }

  /** This plan for other threads, which `attach` it: the weights are in shared memory and are not copied. */
  share(): SharedPlan {
    return this.contents
  }

  /**
   * @param x [B, T, inputSize], or int32 [B, T] where the model begins with an Embedding; of images [B, H, W, C], or
   *   [B, T, H, W, C] where each step is one
   * @returns [B, S, outputSize], S being T unless convolutions or pools change it, or [B, outputSize] where one step is left:
   *   after a lastStep, an LSTM that returns no sequences, a global pool or a Flatten; with `state` in the options also the new state
   * @throws {TypeError | RangeError} if x, the lengths, the mask or the state do not fit
   */
  predictSync(
    x: Tensor,
    options: PredictSyncOptions & { state: Tensor | null },
  ): { output: Tensor; state: Tensor }
  predictSync(x: Tensor, options?: PredictSyncOptions): Tensor
  predictSync(x: Tensor, options?: PredictSyncOptions): Tensor | { output: Tensor; state: Tensor } {
    if (options) refuseUnknownOptions('predictSync', options, syncOptionNames)
    const run = this.#prepare(x, options)
    const output = this.#output(run, options?.output)
    run.y = output.array as FloatArray
    this.kernels.runPlan(run)
    output.touch()
    return this.#result(run, output)
  }

  /**
   * The same on a thread of the package's own: the event loop goes on meanwhile. What is passed in is copied when the call is
   * made, and so may be used again at once, unless it lies in shared memory, which is read where it is and must stay as it is
   * until the promise settles. Runs of one thread begin in the order of their calls; one alone has all the threads of
   * `setThreads`, several have one each.
   *
   * @throws {TypeError | RangeError} as `predictSync`, as a rejection
   * @throws the signal's reason, as a rejection; a run that has begun goes on to its end unseen
   */
  predict(
    x: Tensor,
    options: PredictOptions & { state: Tensor | null },
  ): Promise<{ output: Tensor; state: Tensor }>
  predict(x: Tensor, options?: PredictOptions): Promise<Tensor>
  async predict(
    x: Tensor,
    options: PredictOptions = {},
  ): Promise<Tensor | { output: Tensor; state: Tensor }> {
    refuseUnknownOptions('predict', options, optionNames)
    const { signal } = options
    signal?.throwIfAborted()
    const run = this.#prepare(x, options)
    const output = this.#output(run)
    run.y = output.array as FloatArray
    run.x = ownCopy(run.x)
    run.lengths = run.lengths && ownCopy(run.lengths)
    run.mask = run.mask && ownCopy(run.mask)
    run.initialState = run.initialState && ownCopy(run.initialState)
    await new Promise<void>((resolve, reject) => {
      const withdraw = () => {
        this.kernels.cancelPlan(number)
        reject(signal!.reason)
      }
      const number = this.kernels.runPlanAsync({
        ...run,
        done(error) {
          signal?.removeEventListener('abort', withdraw)
          if (error) reject(error)
          else resolve()
        },
      })
      signal?.addEventListener('abort', withdraw, { once: true })
    })
    return this.#result(run, output)
  }

  /**
   * A stream: the plan on a sequence that comes a step at a time, h and c kept in between. Steps of streams that are asked for
   * in the same turn of the event loop run together, on threads of their own.
   *
   * @throws {TypeError} if the plan needs more of a sequence than a state of what came before: for a backward direction, or attention
   */
  stream(options?: StreamOptions): Stream {
    requireStreams(this.contents.traits)
    this.#scheduler ??= new Scheduler(this.parts)
    return new Stream(this.#scheduler, options)
  }

  /** @internal */
  get parts(): PlanParts {
    const { traits, compiled, vocabulary, inputSize, outputSize, endsInOneStep } = this.contents
    return {
      ...traits,
      kernels: this.kernels,
      compiled,
      inputWidth: vocabulary ? 1 : inputSize,
      vocabulary,
      outputSize,
      stateSize: this.stateSize,
      endsInOneStep,
      stepShape: [outputSize],
      like: this.floats(0),
      inputLike: vocabulary ? new Int32Array(0) : this.floats(0),
      stepsAfter: (T) => this.#stepsAfter(T),
    }
  }

  #stepsAfter(T: number): number {
    let S = T
    for (const each of this.contents.onTime) S = stepsAfter(each, S)
    return S
  }

  /** All of a run but where its output goes, checked. */
  #prepare(x: Tensor, options: CallOptions | undefined): RunPlan {
    const [B, T] = this.#requireInput(x)
    const lengths = options?.lengths
    const mask = options?.mask
    if (mask) requireMask('predict', mask, { B, T })
    const state = options?.state
    return {
      plan: this.contents.compiled,
      B,
      T,
      x: x.array as FloatArray | Int32Array,
      y: noFloats,
      lengths: lengths && this.#requireLengths(lengths, B, T),
      mask,
      initialState: state ? this.#requireState(state, B) : undefined,
      finalState: state === undefined ? undefined : this.floats(B * this.stateSize),
    }
  }

  #output({ B, T }: RunPlan, given?: Tensor): Tensor {
    const S = this.#stepsAfter(T)
    return given ? this.#requireOutput(given, B, S) : this.#newOutput(B, S)
  }

  #result({ B, finalState }: RunPlan, output: Tensor): Tensor | { output: Tensor; state: Tensor } {
    return finalState ? { output, state: new Tensor([B, this.stateSize], finalState) } : output
  }

  /** @internal Zeros of the type that the plan computes in. */
  floats(length: number): FloatArray {
    return this.contents.isDouble ? new Float64Array(length) : new Float32Array(length)
  }

  #newOutput(B: number, T: number): Tensor {
    if (this.contents.endsInOneStep) return new Tensor([B, this.outputSize], this.floats(B * this.outputSize))
    return new Tensor([B, T, this.outputSize], this.floats(B * T * this.outputSize))
  }

  #requireOutput(output: Tensor, B: number, T: number): Tensor {
    const { shape } = output
    const isSized = this.contents.endsInOneStep
      ? shape.length === 2 && shape[0] === B && shape[1] === this.outputSize
      : shape.length === 3 && shape[0] === B && shape[1] === T && shape[2] === this.outputSize
    if (isSized && this.#isOfType(output.array)) return output
    const expected = this.contents.endsInOneStep ? [B, this.outputSize] : [B, T, this.outputSize]
    throw new RangeError(
      `predict: expected output of shape [${expected}], got [${shape}] of ${output.dataType}`,
    )
  }

  #requireInput({ shape, array, dataType }: Tensor): readonly number[] {
    if (this.contents.vocabulary) return this.#requireIndices(shape, array)
    const type = this.contents.isDouble ? 'float64' : 'float32'
    const isSized = shape.length > 2 && sizeOf(shape.slice(2)) === this.inputSize
    if (isSized && dataType === type) return shape
    const expected = `[B, T, ${this.inputSize}] and type ${type}`
    throw new RangeError(`predict: expected x of shape ${expected}, got [${shape}] of ${dataType}`)
  }

  #requireIndices(shape: readonly number[], array: TensorArray): readonly number[] {
    if (shape.length !== 2 || !(array instanceof Int32Array)) {
      throw new RangeError(
        `predict: expected x of shape [B, T] and type int32, got [${shape}] of ${describe(array)}`,
      )
    }
    const odd = array.findIndex((index) => index < 0 || index >= this.contents.vocabulary)
    if (odd < 0) return shape
    throw new RangeError(
      `predict: expected indices in [0, ${this.contents.vocabulary}), got ${array[odd]} at ${odd}`,
    )
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
    if (fits && this.#isOfType(array)) return array as FloatArray
    const expected = `[${B}, ${this.stateSize}]`
    throw new RangeError(
      `predict: expected a state of shape ${expected} from this plan, got [${shape}] of ${dataType}`,
    )
  }

  #isOfType(array: TensorArray): boolean {
    return this.contents.isDouble ? array instanceof Float64Array : array instanceof Float32Array
  }
}

const noFloats = new Float32Array(0)

/** Memory that nobody else writes, or takes away: an array's buffer may be transferred to another thread. */
function ownCopy<A extends FloatArray | Int32Array | Uint8Array>(array: A): A {
  return array.buffer instanceof SharedArrayBuffer ? array : (array.slice() as A)
}
