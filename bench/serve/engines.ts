/** Inference without HTTP: ours through the batcher, onnxruntime-node by one call a request. */
import { load } from '../../lib/formats/checkpoint.ts'
import { Batcher } from '../../lib/inference/batcher.ts'
import { compile } from '../../lib/inference/plan.ts'
import { kernelsFor } from '../../lib/kernels/index.ts'
import type { Layer } from '../../lib/layers/layer.ts'
import { Random } from '../../lib/random.ts'
import { Tensor } from '../../lib/tensor.ts'
import { draw } from './draw.ts'
import type { Network } from './network.ts'
import { RuntimeModel, type RuntimeState } from './runtime.ts'

export interface EngineOptions {
  engine: 'lstm-native' | 'onnxruntime-node'
  network: Network
  safetensors: string
  onnx: string
  packageFile: string
  /** Of onnxruntime-node; default: as many as it chooses. */
  threads?: number
}

/** Runs on what it was made for, and gives the output. */
export type Call = () => Promise<Float32Array>

export interface Engine {
  /** Each call is the next step of a stream of its own. */
  stream(x: Float32Array): Call
  /** Each call is a sequence of T steps from zeros. */
  sequence(x: Float32Array, T: number): Call
  /** Requests a batch on the average, since it was last asked. */
  batchSize(): number
  /** A step of B streams by one synchronous call of the kernels, with nothing around it. */
  kernel?(B: number): () => void
}

export function createEngine(options: EngineOptions): Promise<Engine> {
  return options.engine === 'lstm-native' ? createOurs(options) : createTheirs(options)
}

async function createOurs({ safetensors }: EngineOptions): Promise<Engine> {
  const model = (await load(safetensors)) as Layer
  let [batches, requests] = [0, 0]
  const batcher = new Batcher(compile(model), {
    onBatch: ({ size }) => {
      batches++
      requests += size
    },
  })
  return {
    stream(x) {
      const stream = batcher.stream()
      return async () => (await stream.next(x)).array as Float32Array
    },
    sequence(x, T) {
      const input = new Tensor([T, x.length / T], x)
      return async () => (await batcher.predict(input)).array as Float32Array
    },
    batchSize() {
      const mean = requests / Math.max(1, batches)
      batches = requests = 0
      return mean
    },
    kernel: (B) => kernelCall(model, B),
  }
}

function kernelCall(model: Layer, B: number): () => void {
  const like = new Float32Array(0)
  const kernels = kernelsFor(like)
  const steps = model.freeze()
  const plan = kernels.compilePlan(steps)
  const [lstm] = steps
  if (lstm.kind !== 'lstm') throw new Error(`expected an LSTM alone, got ${lstm.kind}`)
  const x = draw(new Random(7), B * lstm.I)
  const y = new Float32Array(B * lstm.H)
  const state = new Float32Array(B * plan.stateWidth)
  return () => kernels.runPlan({ plan, B, T: 1, x, y, initialState: state, finalState: state })
}

async function createTheirs({ packageFile, onnx, network, threads }: EngineOptions): Promise<Engine> {
  const model = await RuntimeModel.load({ packageFile, model: onnx, ...network, threads })
  return {
    stream(x) {
      let before: RuntimeState | undefined
      return async () => {
        const { y, state } = await model.run(x, 1, before)
        before = state
        return y
      }
    },
    sequence: (x, T) => async () => (await model.run(x, T)).y,
    batchSize: () => 1,
  }
}
