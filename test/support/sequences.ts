/** A small model with a batcher, and what its sequences must come to. */
import { compile, Linear, LSTM, Random, Sequential, Tensor } from 'lstm-native'
import { Batcher } from '../../lib/inference/batcher.ts'
import type { Plan } from '../../lib/inference/plan.ts'
import { identityOf } from '../../lib/serve/sequences/identity.ts'
import type {
  SequenceBatcher,
  SequenceModel,
  SequenceStore,
  SequenceStream,
  StepRequest,
} from '../../lib/serve/sequences/store.ts'
import { untilAborted } from '../../lib/serve/sequences/turns.ts'

export const features = 3

export interface TestModel extends SequenceModel {
  plan: Plan
  batcher: Batcher
}

export function sequenceModel({ name = 'small', hiddenSize = 5, seed = 1, numLayers = 2 } = {}): TestModel {
  const model = new Sequential([
    new LSTM({ inputSize: features, hiddenSize, numLayers, seed }),
    new Linear({ inputSize: hiddenSize, outputSize: 2, seed }),
  ])
  const plan = compile(model)
  return { name, plan, batcher: new Batcher(plan, { maxQueueSize: 20_000 }), ...identityOf(model) }
}

/**
 * The model with results that stay where they are, computed, until `release` is called; as with what runs in a batcher, a
 * signal meanwhile takes the result away, not the step back.
 */
export function held(model: SequenceModel): { model: SequenceModel; release: () => void } {
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const { batcher } = model
  const later = async <T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    const value = await result
    await untilAborted(gate, signal)
    return value
  }
  const stream = (): SequenceStream => {
    const inner = batcher.stream()
    return {
      next: (x, { signal, ...options } = {}) => later(inner.next(x, options), signal),
      close: () => inner.close(),
      get state() {
        return inner.state
      },
      set state(state) {
        inner.state = state
      },
    }
  }
  const predict: SequenceBatcher['predict'] = (x, { signal, ...options }) =>
    later(batcher.predict(x, options), signal)
  return { model: { ...model, batcher: { predict, stream } }, release }
}

/** Step `step` of sequence `sequence`: [1, features], the same in every process. */
export function input(sequence: number, step: number): Tensor {
  const random = new Random(1 + sequence * 1009 + step)
  return new Tensor(
    [1, features],
    Float32Array.from({ length: features }, () => random.normal()),
  )
}

/** The output of every step of a sequence that nothing disturbs. */
export function undisturbed({ plan }: TestModel, sequence: number, steps: number): number[][] {
  let state: Tensor | null = null
  return Array.from({ length: steps }, (_, step) => {
    const x = new Tensor([1, 1, features], input(sequence, step))
    const result: { output: Tensor; state: Tensor } = plan.predictSync(x, { state })
    state = result.state
    return [...result.output.array]
  })
}

/** Step `step` of sequence `sequence` through a store, without an id unless `more` gives one. */
export async function take(
  store: SequenceStore,
  model: SequenceModel,
  sequence: number,
  step: number,
  more: Partial<StepRequest> = {},
): Promise<{ values: number[]; step: number; isReplay: boolean }> {
  const x = input(sequence, step)
  const start = step === 0
  const request = { model, sequenceId: String(sequence), start, end: false, x, ...more }
  const { output, step: number, isReplay } = await store.step(request)
  return { values: [...output.array], step: number, isReplay }
}
