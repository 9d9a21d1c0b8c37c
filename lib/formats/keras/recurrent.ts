/** LSTM and Bidirectional of Keras and tfjs as layers of ours. */
import type { LayerConfig } from '../../layers/layer.ts'
import { cellFunctionOf } from './activations.ts'
import type { Converted } from './convert.ts'
import { convertBidirectionalRNN, inputDropout } from './convert-rnn.ts'
import type { KerasLayer } from './layer-config.ts'
import { requireShapes } from './tensors.ts'
import type { StoredWeight, Weights } from './weights.ts'

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
  const directions = [
    readLSTM(forward, weights.inner('forward_layer')),
    readLSTM(backward, weights.inner('backward_layer')),
  ]
  const [{ options }, other] = directions
  if (JSON.stringify(options) !== JSON.stringify(other.options))
    layer.fail('UnsupportedOption', 'expected both directions to have the same options')
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
  return [...inputDropout(forward), { config, stored: directions.flatMap(({ stored }) => stored) }]
}

/** What the LSTM of one direction is, but for the order of its steps. */
function readLSTM(
  layer: KerasLayer,
  weights: Weights,
): { options: Omit<LayerConfig, 'type'>; stored: StoredWeight[] } {
  layer.require('return_state', false, 'a layer with one output is supported')
  layer.require('stateful', false, 'state is carried by forward({ state })')
  layer.require('time_major', false)
  const H = layer.integer('units')
  const bias = layer.flag('use_bias', true)
  const names = ['kernel', 'recurrent_kernel', ...(bias ? ['bias'] : [])]
  const stored = weights.inner('cell').take(names)
  const I = stored[0].shape[0]
  requireShapes(stored, [[I, 4 * H], [H, 4 * H], [4 * H]], layer.source.path)
  const activation = cellFunctionOf(layer, 'activation', 'tanh')
  const usual = layer.source.dialect === 'tfjs' ? 'hard_sigmoid' : 'sigmoid'
  const options = {
    inputSize: I,
    hiddenSize: H,
    bias,
    gateActivation: cellFunctionOf(layer, 'recurrent_activation', usual),
    cellActivation: activation,
    outputActivation: activation,
    recurrentDropout: layer.number('recurrent_dropout', 0),
    // What a copy made with these options starts from; unit_forget_bias is how Keras says it.
    initialisation: 'keras',
    ...(bias ? { forgetBias: layer.flag('unit_forget_bias', layer.source.dialect !== 'tfjs') ? 1 : 0 } : {}),
  }
  return { options, stored }
}
