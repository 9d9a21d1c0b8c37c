/** Small layers that cases are made of. */
import {
  Conv1d,
  type Conv1dLayerOptions,
  type Layer,
  Linear,
  LSTM,
  type LSTMOptions,
  Sequential,
} from '../../lib/index.ts'

export const head = (inputSize: number) => new Linear({ inputSize, outputSize: 2 })
export const stack = (...layers: Layer[]) => new Sequential(layers)
export const lstm = (options: Partial<LSTMOptions> = {}) =>
  new LSTM({ inputSize: 3, hiddenSize: 4, ...options })
export const conv = (options: Partial<Conv1dLayerOptions> = {}) =>
  new Conv1d({ inputChannels: 4, outputChannels: 6, kernelSize: 3, ...options })
