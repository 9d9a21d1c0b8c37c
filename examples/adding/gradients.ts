/** How far the gradient reaches: ‖∂loss/∂h[t]‖, and of an LSTM ‖∂loss/∂c[t]‖, against the lag T - t. */
import {
  LSTM,
  type LSTMState,
  type Model,
  meanSquaredError,
  Random,
  type RNN,
  type RNNState,
  reshape,
  type Sequential,
  slice,
  type Tensor,
} from 'lstm-native'
import { addingBatch, longest } from './task.ts'

export interface Reach {
  /** `h[lag - 1]`: the norm of the gradient of a sequence's loss, the root mean square over 64 sequences. */
  h: number[]
  /** Likewise for the cell of an LSTM. */
  c?: number[]
}

const size = 64

/** Runs the recurrent layer of a model one step at a time, so that the state after each step is a tensor of its own. */
export function gradientReach(model: Sequential, length: number): Reach {
  const [recurrent, , head] = model.layers as [LSTM | RNN, Model, Model]
  // Padding would put steps between the last one that counts and the loss: all are taken as long as the longest.
  const T = longest(length)
  const { x, y } = addingBatch(length, { size, random: new Random(1) })
  const states: (LSTMState | RNNState)[] = []
  let output: Tensor | undefined
  for (let t = 0; t < T; t++) {
    const xt = slice(x, { axis: 1, start: t, end: t + 1 })
    const step = stepOf(recurrent, xt, states.at(-1))
    output = step.output
    states.push(step.state)
    for (const each of Object.values(step.state) as Tensor[]) each.retainGrad()
  }
  meanSquaredError(head.forward(reshape(output!, [size, -1])) as Tensor, y, { reduction: 'sum' }).backward()
  // The loss depends on the last output, not on the state beside it: lags begin at 1.
  const earlier = states.slice(0, -1).reverse()
  const norm = (of: Tensor) => Math.hypot(...of.grad!) / Math.sqrt(size)
  const h = earlier.map((state) => norm(state.h))
  return recurrent instanceof LSTM ? { h, c: earlier.map((state) => norm((state as LSTMState).c)) } : { h }
}

function stepOf(layer: LSTM | RNN, x: Tensor, state: LSTMState | RNNState | undefined) {
  return layer instanceof LSTM
    ? layer.forward(x, { state: state as LSTMState })
    : layer.forward(x, { state: state as RNNState })
}
