/** A version of a model that is served: the plan in use, what it has been through, and how it becomes another one. */
import { loadModel } from '../formats/load-model.ts'
import { ArrayPool } from '../inference/array-pool.ts'
import { Batcher } from '../inference/batcher.ts'
import { compile, type Plan } from '../inference/plan.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { Tensor } from '../tensor.ts'
import { Counters } from './counters.ts'
import type { Settings } from './options.ts'
import { identityOf } from './sequences/identity.ts'
import type { SequenceModel } from './sequences/store.ts'
import { type Signature, signatureOf } from './signature.ts'
import type { ModelSource } from './sources.ts'

/** What a load of a model's file gives, to be replaced as a whole. */
export interface LoadedPlan {
  readonly plan: Plan
  readonly batcher: Batcher
  readonly signature: Signature
  readonly format: string
  /** For results that are too long to be copied into an answer. */
  readonly outputs: ArrayPool<FloatArray>
  /** For sequences that ask for no version, and for those that do. */
  readonly anyVersion: SequenceModel
  readonly thisVersion: SequenceModel
  /** Rows of requests that have come and are not answered. */
  rowsUnderWay: number
}

/** ms between two looks at whether the requests of a plan that was replaced have ended. */
const lookEvery = 50

export class ServedModel {
  readonly name: string
  readonly version: string
  readonly path: string
  readonly counters: Counters
  /** Answers begin with this: `{"model_name":"sunspots","model_version":"1"`. */
  readonly answerStart: string
  current: LoadedPlan

  private constructor(source: ModelSource, loaded: LoadedPlan, counters: Counters) {
    this.name = source.name
    this.version = source.version
    this.path = source.path
    this.counters = counters
    this.answerStart = JSON.stringify({ model_name: source.name, model_version: source.version }).slice(0, -1)
    this.current = loaded
  }

  /** @throws {FileFormatError} if the file cannot be read, and whatever a model says that cannot be run */
  static async load(source: ModelSource, settings: Settings): Promise<ServedModel> {
    const counters = new Counters()
    return new ServedModel(source, await loadPlan(source, settings, counters), counters)
  }

  /** Replaces the plan by one of the file as it is now. Requests under way end on the old one. */
  async reload(settings: Settings): Promise<void> {
    try {
      const loaded = await loadPlan(this, settings, this.counters)
      const old = this.current
      this.current = loaded
      this.counters.reloads.ok++
      void retire(old)
    } catch (error) {
      this.counters.reloads.failed++
      throw error
    }
  }
}

/** Steps that wait for their turn in a sequence go to the batcher later: it may not close before. */
async function retire(old: LoadedPlan): Promise<void> {
  while (old.rowsUnderWay > 0) await new Promise((resolve) => setTimeout(resolve, lookEvery))
  await old.batcher.close()
}

async function loadPlan(
  { name, version, path }: ModelSource,
  settings: Settings,
  counters: Counters,
): Promise<LoadedPlan> {
  const { model, format } = await loadModel(path)
  const plan = compile(model)
  const signature = signatureOf(plan)
  const { maxBatchSize, maxQueueDelayMicroseconds, preferredBatchSizes, maxQueueSize, timeout } = settings
  const batcher = new Batcher(plan, {
    maxBatchSize,
    maxQueueDelayMicroseconds,
    preferredBatchSizes,
    maxQueueSize,
    timeout,
    onBatch: (batch) => counters.addBatch(batch),
  })
  await tryOut(path, plan, signature)
  const shared = { ...identityOf(model), batcher }
  return {
    plan,
    batcher,
    signature,
    format,
    outputs: new ArrayPool(batcher.parts.like),
    anyVersion: { name, ...shared },
    thisVersion: { name: `${name}/versions/${version}`, ...shared },
    rowsUnderWay: 0,
  }
}

/** One run on zeros: what cannot run, or gives no numbers, is not served. */
async function tryOut(path: string, plan: Plan, { inputSize, leastSteps, type }: Signature): Promise<void> {
  const floats = (size: number) => (type === 'float64' ? new Float64Array(size) : new Float32Array(size))
  const x = inputSize
    ? new Tensor([1, leastSteps, inputSize], floats(leastSteps * inputSize))
    : new Tensor([1, leastSteps], new Int32Array(leastSteps))
  const { array } = await plan.predict(x)
  const odd = array.findIndex((value) => !Number.isFinite(value))
  if (odd >= 0) {
    throw new RangeError(
      `${path}: expected finite outputs for an input of zeros, got ${array[odd]} at element ${odd}; are its weights whole?`,
    )
  }
}
