/** The state recurrent layers carry from one window to the next. */
import { Tensor } from '../tensor.ts'
import type { State } from './layer.ts'

/** An LSTM's state: h [L·D, B, R] and c [L·D, B, H], index layer·D + direction; an LSTMCell's has no first axis. */
export interface LSTMState {
  h: Tensor
  c: Tensor
}

/**
 * The same state with copies of its tensors that have no history: gradients stop there, which is truncated
 * backpropagation through time, and a `recycle` scope does not take their memory.
 *
 * @param state a tensor, or arrays and plain objects of them, as `forward` returned it
 */
export function detachState<T extends State>(state: T): T {
  return mapState(state, (each) => each.clone()) as T
}

/** The state with every tensor in it replaced. */
export function mapState(state: State, map: (each: Tensor) => Tensor): State {
  if (state instanceof Tensor) return map(state)
  if (Array.isArray(state)) return state.map((each) => mapState(each, map))
  if (state === null || typeof state !== 'object' || ArrayBuffer.isView(state)) return state
  return Object.fromEntries(Object.entries(state).map(([key, value]) => [key, mapState(value, map)]))
}
