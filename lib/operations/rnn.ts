/** One layer and direction of an Elman network over a window of T steps: a linear operation, then one kernel call. */
import type { FloatArray } from '../kernels/contract.ts'
import type { RnnActivation } from '../kernels/contract-rnn.ts'
import { kernelsFor } from '../kernels/index.ts'
import { outputBuffer, record } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { floats, requireLengths, requireShape } from './common.ts'
import { linear } from './linear.ts'

export interface RnnWeights {
  /** [H, I] */
  weightIh: Tensor
  /** [H, H] */
  weightHh: Tensor
  /** [H] */
  biasIh?: Tensor
  /** [H] */
  biasHh?: Tensor
}

export interface RnnCall extends RnnWeights {
  /** Default tanh. */
  activation?: RnnActivation
  /** Whether each sequence is read from its last valid step to its first; y keeps the order of x. Default false. */
  reverse?: boolean
  /** [B, H], default zeros */
  h0?: Tensor
  /** Valid steps of each sequence, in [0, T]; default T */
  lengths?: Int32Array
}

/**
 *     h[t] = f(x[t]·W_ihᵀ + b_ih + h[t-1]·W_hhᵀ + b_hh)                    f = tanh or relu
 *
 * Elman, "Finding structure in time", Cognitive Science 14, 1990. Agrees with torch.nn.RNN (batch_first). Padded steps
 * change nothing and their output is 0.
 *
 * @param x [B, T, I]
 * @returns output [B, T, H]; hn [B, H], the state after the last step read
 * @throws {RangeError} if a shape or a length does not fit
 */
export function rnn(x: Tensor, call: RnnCall): { output: Tensor; hn: Tensor } {
  const { weightIh, weightHh, biasIh, biasHh, activation = 'tanh', reverse = false, h0 } = call
  if (x.shape.length !== 3) throw new RangeError(`rnn: expected x of shape [B, T, I], got [${x.shape}]`)
  const [B, T, I] = x.shape
  const [H] = weightHh.shape
  requireShape('rnn', 'weightIh', weightIh, [H, I])
  requireShape('rnn', 'weightHh', weightHh, [H, H])
  if (biasIh) requireShape('rnn', 'biasIh', biasIh, [H])
  if (biasHh) requireShape('rnn', 'biasHh', biasHh, [H])
  if (h0) requireShape('rnn', 'h0', h0, [B, H])
  if (call.lengths) requireLengths('rnn', call.lengths, { B, T })
  const lengths = call.lengths?.slice()

  const a = linear(x, weightIh, biasIh)
  const inputs = [a, weightHh, biasHh, h0]
  const [as] = floats('rnn', ...inputs.filter((each) => each !== undefined))
  const kernels = kernelsFor(as)
  const y = outputBuffer(as, B * T * H)
  const hn = outputBuffer(as, B * H)
  const arrayOf = (of: Tensor | undefined) => of?.array as FloatArray | undefined
  const shared = () => ({
    B,
    T,
    H,
    activation,
    reverse,
    lengths,
    weightHh: weightHh.array as FloatArray,
    biasHh: arrayOf(biasHh),
    h0: arrayOf(h0),
    y,
    yBatchStride: T * H,
    yTimeStride: H,
  })
  kernels.rnnForward({ ...shared(), a: as, hn })

  const outputs = [
    { shape: [B, T, H], array: y },
    { shape: [B, H], array: hn },
  ]
  const [output, hidden] = record('rnn', inputs, outputs, ([dy, dhn], gradientOf) => {
    kernels.rnnBackward({
      ...shared(),
      dy,
      dhn,
      da: gradientOf(a),
      dh0: h0 && gradientOf(h0),
      dweightHh: gradientOf(weightHh),
      dbiasHh: biasHh && gradientOf(biasHh),
    })
  })
  return { output, hn: hidden }
}
