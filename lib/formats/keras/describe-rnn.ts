/** An RNN of this package, of several layers and directions, as layers of Keras. */
import { LastStep } from '../../layers/last-step.ts'
import type { Model } from '../../layers/layer.ts'
import type { RNN, RNNOptions } from '../../layers/rnn.ts'
import type { Dialect } from './layer-config.ts'
import { cannotSave, type KerasNode, type Reaching, requireName, type TensorTree } from './nodes.ts'
import { recurrentTensors } from './tensors.ts'

interface Around {
  place: string
  /** The layer behind, which may become an option: the last step alone. */
  next: Model | undefined
  reaching: Reaching
  /** Whether a Reverse stands right before, which becomes an option. */
  isBackwards: boolean
}

/** Whether a Reverse before it may become its option. */
export function canGoBackwards(rnn: RNN): boolean {
  const { numLayers, bidirectional } = rnn.config()
  return numLayers === 1 && bidirectional === false
}

export function describeRNN(
  rnn: RNN,
  { place, next, reaching: { isMasked }, isBackwards }: Around,
): { nodes: KerasNode[]; takesNext: boolean } {
  const options = rnn.config() as unknown as Required<RNNOptions>
  const takesNext = next instanceof LastStep
  if (takesNext && options.bidirectional)
    cannotSave(
      place,
      'a LastStep behind both directions takes each where it ends there, not at the last step',
    )
  if (isBackwards && isMasked && !takesNext)
    cannotSave(place, 'the mask is not turned round there; take the last step, or leave the mask out')
  const nodes: KerasNode[] = []
  for (const [k, directions] of rnn.weights.entries()) {
    const isLast = k === options.numLayers - 1
    const trees = directions.map(
      (each): TensorTree => ({ own: [], inner: { cell: { own: recurrentTensors(each) } } }),
    )
    const one: KerasNode = {
      className: 'SimpleRNN',
      tensors: trees[0],
      config: (dialect) => ({
        units: options.hiddenSize,
        activation: requireName({ kind: options.nonlinearity }, place, dialect),
        use_bias: options.bias,
        dropout: 0,
        recurrent_dropout: 0,
        return_sequences: !(isLast && takesNext),
        return_state: false,
        go_backwards: isBackwards,
        stateful: false,
        unroll: false,
      }),
    }
    nodes.push(options.bidirectional ? bothDirections(one, trees, { place, isMasked }) : one)
    if (!isLast && options.dropout > 0)
      nodes.push({ className: 'Dropout', tensors: { own: [] }, config: () => ({ rate: options.dropout }) })
  }
  return { nodes, takesNext }
}

function bothDirections(
  one: KerasNode,
  [forward, backward]: TensorTree[],
  { place, isMasked }: { place: string; isMasked: boolean },
): KerasNode {
  return {
    className: 'Bidirectional',
    tensors: { own: [], inner: { forward_layer: forward, backward_layer: backward } },
    wrapped: [['layer', one]],
    config(dialect: Dialect) {
      if (isMasked && dialect !== 'tfjs')
        cannotSave(
          place,
          'masked steps of its Bidirectional are zeros, where an RNN here repeats the one before',
        )
      return { merge_mode: 'concat' }
    },
  }
}
