/** LSTM and Bidirectional of Keras and tfjs as layers of ours. */
import type { LayerConfig } from '../../layers/layer.ts'
import { cellFunctionOf } from './activations.ts'
import type { Converted } from './convert.ts'
import { convertBidirectionalRNN } from './convert-rnn.ts'
import type { KerasLayer } from './layer-config.ts'
import { type Direction, inputDropout, readCell, readDirections } from './recurrent-cell.ts'
import type { Weights } from './weights.ts'

/**
 * With `go_backwards` the steps come out in the order they were read, so that they are turned round behind the LSTM; a
 * mask goes on as it was, in Keras too.
 */
export function convertLSTM(layer: KerasLayer, weights: Weights): Converted[] {
  const { options, stored } = readLSTM(layer, weights)
  const returnSequences = layer.flag('return_sequences', false)
  const reverse = layer.flag('go_backwards', false)
  const zeroMasked = layer.flag('zero_output_for_mask', false)
  if (zeroMasked && !returnSequences)
    layer.fail('UnsupportedOption', 'expected zero_output_for_mask: false where return_sequences is false')
  const config: LayerConfig = { type: 'LSTM', ...options, reverse, returnSequences, zeroMasked }
  const turned: Converted[] =
    reverse && returnSequences ? [{ config: { type: 'Reverse', keepMask: layer.isMasked }, stored: [] }] : []
  return [...inputDropout(layer), { config, stored }, ...turned]
}

const merges = new Map<unknown, string>([
  ['concat', 'concat'],
  ['sum', 'sum'],
  ['mul', 'mul'],
  ['ave', 'average'],
])

/** Keras puts zeros in place of masked steps in both directions; tfjs repeats the output before, as its LSTM does. */
export function convertBidirectional(layer: KerasLayer, weights: Weights): Converted[] {
  const forward = layer.layer('layer')
  const backward = layer.value('backward_layer') === undefined ? forward : layer.layer('backward_layer')
  for (const inner of [forward, backward]) {
    const isKnown = inner.className === 'LSTM' || inner.className === 'SimpleRNN'
    if (!isKnown || inner.className !== forward.className)
      inner.fail(
        'UnsupportedLayer',
        'expected an LSTM, or a SimpleRNN, inside Bidirectional, the same in both directions',
      )
  }
  if (forward.flag('go_backwards', false))
    layer.fail('UnsupportedOption', 'expected go_backwards: false of the forward layer')
  if (forward.className === 'SimpleRNN') return convertBidirectionalRNN(layer, { forward, backward }, weights)
  const merge = merges.get(
    layer.value('merge_mode') ?? (layer.source.dialect === 'tfjs' ? 'concat' : undefined),
  )
  if (merge === undefined)
    layer.fail(
      'UnsupportedOption',
      'expected merge_mode concat, sum, mul or ave: with None it has two outputs',
    )
  const { options, stored } = readDirections(layer, { forward, backward }, weights, readLSTM)
  const returnSequences = forward.flag('return_sequences', false)
  const zeroMasked = returnSequences && layer.source.dialect !== 'tfjs'
  const config: LayerConfig = {
    type: 'LSTM',
    ...options,
    bidirectional: true,
    merge,
    returnSequences,
    zeroMasked,
  }
  return [...inputDropout(forward), { config, stored }]
}

function readLSTM(layer: KerasLayer, weights: Weights): Direction {
  const { sizes, stored } = readCell(layer, weights, { blocks: 4 })
  const activation = cellFunctionOf(layer, 'activation', 'tanh')
  const usual = layer.source.dialect === 'tfjs' ? 'hard_sigmoid' : 'sigmoid'
  const options = {
    ...sizes,
    gateActivation: cellFunctionOf(layer, 'recurrent_activation', usual),
    cellActivation: activation,
    outputActivation: activation,
    recurrentDropout: layer.number('recurrent_dropout', 0),
    // What a copy made with these options starts from; unit_forget_bias is how Keras says it.
    initialisation: 'keras',
    ...(sizes.bias
      ? { forgetBias: layer.flag('unit_forget_bias', layer.source.dialect !== 'tfjs') ? 1 : 0 }
      : {}),
  }
  return { options, stored }
}
