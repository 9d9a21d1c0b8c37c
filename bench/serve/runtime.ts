/** onnxruntime-node as a service uses it: one session, one call a request, a stream's states kept as the tensors it gave. */
import { createRequire } from 'node:module'

/** The part of onnxruntime-node that is used; the bench is type-checked without its dependencies. */
interface Runtime {
  Tensor: new (type: string, data: Float32Array | Int32Array, shape: readonly number[]) => RuntimeTensor
  InferenceSession: { create(path: string, options: object): Promise<Session> }
}

export interface RuntimeTensor {
  data: Float32Array
  dims: readonly number[]
}

interface Session {
  run(feeds: Record<string, RuntimeTensor>): Promise<Record<string, RuntimeTensor>>
}

/** h and c, each [layers, 1, hiddenSize]. */
export interface RuntimeState {
  h: RuntimeTensor
  c: RuntimeTensor
}

export interface RuntimeOptions {
  /** The bench's package.json, whose dependency onnxruntime-node is. */
  packageFile: string
  /** An exported LSTM whose inputs are all required. */
  model: string
  numLayers: number
  hiddenSize: number
  /** Of each call; default: as many as ONNX Runtime chooses. */
  threads?: number
}

export class RuntimeModel {
  readonly #runtime: Runtime
  readonly #session: Session
  readonly #zeros: RuntimeState
  readonly #lengths = new Map<number, RuntimeTensor>()

  static async load(options: RuntimeOptions): Promise<RuntimeModel> {
    const runtime = createRequire(options.packageFile)('onnxruntime-node') as Runtime
    const { threads } = options
    const settings = threads === undefined ? {} : { intraOpNumThreads: threads }
    return new RuntimeModel(runtime, await runtime.InferenceSession.create(options.model, settings), options)
  }

  private constructor(
    runtime: Runtime,
    session: Session,
    { numLayers, hiddenSize }: Pick<RuntimeOptions, 'numLayers' | 'hiddenSize'>,
  ) {
    this.#runtime = runtime
    this.#session = session
    const shape = [numLayers, 1, hiddenSize]
    const zeros = () => new runtime.Tensor('float32', new Float32Array(numLayers * hiddenSize), shape)
    this.#zeros = { h: zeros(), c: zeros() }
  }

  /**
   * @param x [T, inputSize]
   * @param state of the steps before; default zeros
   * @returns y [T, hiddenSize]
   */
  async run(
    x: Float32Array,
    T: number,
    state: RuntimeState = this.#zeros,
  ): Promise<{ y: Float32Array; state: RuntimeState }> {
    const { y, hn, cn } = await this.#session.run({
      x: new this.#runtime.Tensor('float32', x, [1, T, x.length / T]),
      lengths: this.#lengthsOf(T),
      h0: state.h,
      c0: state.c,
    })
    return { y: y.data, state: { h: hn, c: cn } }
  }

  #lengthsOf(T: number): RuntimeTensor {
    let lengths = this.#lengths.get(T)
    if (!lengths) {
      lengths = new this.#runtime.Tensor('int32', Int32Array.of(T), [1])
      this.#lengths.set(T, lengths)
    }
    return lengths
  }
}
