/** An LSTM of this package, of several layers and directions, as layers of Keras. */

import { LastStep } from '../../layers/last-step.ts'
import type { Model } from '../../layers/layer.ts'
import type { LSTM } from '../../layers/lstm.ts'
import type { CompleteOptions } from '../../layers/lstm-options.ts'
import { Reverse } from '../../layers/steps.ts'
import type { ActivationFunction } from './activations.ts'
import type { Dialect } from './layer-config.ts'
import { cannotSave, type KerasNode, type Reaching, requireName, type TensorTree } from './nodes.ts'
import { recurrentTensors } from './tensors.ts'

/** What Keras' LSTM has nothing like, with the value that leaves it out. */
const without: Partial<Record<keyof CompleteOptions, unknown>> = {
  projectionSize: 0,
  peepholes: false,
  layerNorm: false,
  clip: 0,
  coupledInputForget: false,
  zoneoutHidden: 0,
  zoneoutCell: 0,
}

const mergeModes = { concat: 'concat', sum: 'sum', mul: 'mul', average: 'ave' }

interface Around {
  place: string
  /** The layer behind, which may become an option: the last step alone, or steps turned round. */
  next: Model | undefined
  reaching: Reaching
}

export function describeLSTM(lstm: LSTM, around: Around): { nodes: KerasNode[]; takesNext: boolean } {
  const { place, next, reaching } = around
  const options = lstm.config() as unknown as CompleteOptions
  for (const [name, value] of Object.entries(without)) {
    if (options[name as keyof CompleteOptions] !== value) cannotSave(place, `there is no ${name}`)
  }
  const takesLast = next instanceof LastStep && options.returnSequences
  const takesReverse = next instanceof Reverse && options.reverse && options.returnSequences
  if (takesLast && options.bidirectional)
    cannotSave(
      place,
      'expected returnSequences: false, which takes each direction where it ends, in place of LastStep',
    )
  if (options.reverse && options.numLayers > 1)
    cannotSave(place, 'with reverse: true expected one layer; make one LSTM for each, with Reverse behind it')
  const returnSequences = options.returnSequences && !takesLast
  if (options.reverse && returnSequences && !takesReverse)
    cannotSave(place, 'its steps come out last first there; put a Reverse behind it')

  if (takesReverse && reaching.isMasked && !next.keepMask)
    cannotSave(place, 'the mask is not turned round there; say Reverse({ keepMask: true })')

  const nodes: KerasNode[] = []
  for (const [k, directions] of lstm.weights.entries()) {
    const isLast = k === options.numLayers - 1
    const trees = directions.map(
      (each): TensorTree => ({ own: [], inner: { cell: { own: recurrentTensors(each) } } }),
    )
    const returns = !isLast || returnSequences
    nodes.push(
      options.bidirectional
        ? bidirectional(options, trees, returns, around)
        : oneLSTM(options, trees[0], returns, around),
    )
    if (!isLast && options.dropout > 0) {
      const className = options.dropoutAcrossTime ? 'SpatialDropout1D' : 'Dropout'
      nodes.push({ className, tensors: { own: [] }, config: () => ({ rate: options.dropout }) })
    }
  }
  return { nodes, takesNext: takesLast || takesReverse }
}

function oneLSTM(
  options: CompleteOptions,
  tensors: TensorTree,
  returnSequences: boolean,
  { place, reaching: { isMasked } }: Around,
): KerasNode {
  const { zeroMasked, reverse } = options
  const config = (dialect: Dialect) => {
    if (isMasked && zeroMasked && dialect === 'tfjs')
      cannotSave(place, 'masked steps repeat the output before them in TensorFlow.js; leave zeroMasked out')
    const zeroes = dialect === 'keras3' ? { zero_output_for_mask: zeroMasked && returnSequences } : {}
    return {
      ...cellConfig(options, place, dialect),
      return_sequences: returnSequences,
      go_backwards: reverse,
      ...zeroes,
    }
  }
  return { className: 'LSTM', tensors, config }
}

/** Whether masked steps of a Bidirectional are zero is no option: in Keras they are, in tfjs they are not. */
function bidirectional(
  options: CompleteOptions,
  [forward, backward]: TensorTree[],
  returnSequences: boolean,
  around: Around,
): KerasNode {
  const { place, reaching } = around
  // The other is made of this one, with go_backwards.
  const one = oneLSTM({ ...options, zeroMasked: false }, forward, returnSequences, around)
  return {
    className: 'Bidirectional',
    tensors: { own: [], inner: { forward_layer: forward, backward_layer: backward } },
    wrapped: [['layer', one]],
    config: (dialect) => {
      const expected = dialect !== 'tfjs'
      if (reaching.isMasked && returnSequences && options.zeroMasked !== expected)
        cannotSave(place, `expected zeroMasked: ${expected}, as masked steps are in its Bidirectional`)
      return { merge_mode: mergeModes[options.merge] }
    },
  }
}

function cellConfig(options: CompleteOptions, place: string, dialect: Dialect): Record<string, unknown> {
  const activation = requireName(functionOf(options.cellActivation), place, dialect)
  if (activation !== requireName(functionOf(options.outputActivation), place, dialect))
    cannotSave(place, 'expected cellActivation and outputActivation to be the same')
  return {
    units: options.hiddenSize,
    activation,
    recurrent_activation: requireName(functionOf(options.gateActivation), place, dialect),
    use_bias: options.bias,
    unit_forget_bias: options.forgetBias === 1,
    dropout: 0,
    recurrent_dropout: options.recurrentDropout,
    return_state: false,
    stateful: false,
    unroll: false,
  }
}

function functionOf(option: CompleteOptions['cellActivation']): ActivationFunction {
  return typeof option === 'string' ? { kind: option } : option
}
