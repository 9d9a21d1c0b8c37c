/** What the server says of itself and of its models. */
import type { Counters } from '../counters.ts'
import type { ServedModel } from '../served-model.ts'

export const serverName = 'lstm-native'

/** Of the protocol, by the names that Triton gave them. */
export const extensions = [
  'binary_tensor_data',
  'sequence',
  'sequence(string_id)',
  'schedule_policy',
  'statistics',
] as const

export function modelMetadata({ name, current }: ServedModel, versions: readonly ServedModel[]) {
  const { format, signature } = current
  const { inputSize, outputSize, stateSize, type, leastSteps, mostSteps, endsInOneStep } = signature
  const datatype = type === 'float64' ? 'FP64' : 'FP32'
  const steps = leastSteps === mostSteps ? leastSteps : -1
  const x = inputSize
    ? { name: 'x', datatype, shape: [-1, steps, inputSize] }
    : { name: 'x', datatype: 'INT32', shape: [-1, steps] }
  const state = stateSize ? [{ name: 'state', datatype, shape: [-1, stateSize] }] : []
  const y = { name: 'y', datatype, shape: endsInOneStep ? [-1, outputSize] : [-1, -1, outputSize] }
  return {
    name,
    versions: versions.map(({ version }) => version),
    platform: `lstm-native_${format}`,
    inputs: [x, { name: 'lengths', datatype: 'INT32', shape: [-1] }, ...state],
    outputs: [y, ...state],
  }
}

export function modelStatistics({ name, version, counters }: ServedModel) {
  const { requests, duration, failureSeconds, queue, compute, inferences, lastInference, batches } = counters
  const failures = Object.values(requests).reduce((sum, n) => sum + n, 0) - requests.ok
  return {
    name,
    version,
    last_inference: lastInference,
    inference_count: inferences,
    execution_count: compute.count,
    inference_stats: {
      success: durationOf(requests.ok, duration.sum),
      fail: durationOf(failures, failureSeconds),
      queue: durationOf(queue.count, queue.sum),
      compute_infer: durationOf(compute.count, compute.sum),
    },
    batch_stats: batchStatistics(batches),
  }
}

function batchStatistics(batches: Counters['batches']) {
  return [...batches]
    .sort(([a], [b]) => a - b)
    .map(([size, { count, seconds }]) => ({ batch_size: size, compute_infer: durationOf(count, seconds) }))
}

function durationOf(count: number, seconds: number): { count: number; ns: number } {
  return { count, ns: Math.round(seconds * 1e9) }
}
