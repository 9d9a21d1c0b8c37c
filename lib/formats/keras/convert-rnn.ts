/** SimpleRNN and Bidirectional(SimpleRNN) of Keras and tfjs. */
import { functionOf } from './activations.ts'
import type { Converted } from './convert.ts'
import type { KerasLayer } from './layer-config.ts'
import { type Direction, inputDropout, readCell, readDirections } from './recurrent-cell.ts'
import type { Weights } from './weights.ts'

/** With `go_backwards` the steps come out in the order they were read: as of steps that are turned round before. */
export function convertSimpleRNN(layer: KerasLayer, weights: Weights): Converted[] {
  const { options, stored } = readRNN(layer, weights)
  layer.require('zero_output_for_mask', false)
  const returnSequences = layer.flag('return_sequences', false)
  const isBackwards = layer.flag('go_backwards', false)
  if (isBackwards && returnSequences && layer.isMasked)
    layer.fail('UnsupportedOption', 'expected go_backwards: false: the mask is not turned round there')
  return [
    ...inputDropout(layer),
    ...(isBackwards ? [{ config: { type: 'Reverse' }, stored: [] }] : []),
    { config: { type: 'RNN', ...options }, stored },
    ...(returnSequences ? [] : [{ config: { type: 'LastStep' }, stored: [] }]),
  ]
}

/** @param forward the layer inside, a SimpleRNN as the other direction is */
export function convertBidirectionalRNN(
  layer: KerasLayer,
  { forward, backward }: { forward: KerasLayer; backward: KerasLayer },
  weights: Weights,
): Converted[] {
  const { options, stored } = readDirections(layer, { forward, backward }, weights, readRNN)
  if (!forward.flag('return_sequences', false))
    layer.fail('UnsupportedOption', 'expected return_sequences: true: an RNN here gives all steps')
  layer.require('merge_mode', 'concat')
  if (layer.isMasked && layer.source.dialect !== 'tfjs')
    layer.fail('UnsupportedOption', 'expected no mask: masked steps of its Bidirectional are zeros there')
  const config = { type: 'RNN', ...options, bidirectional: true }
  return [...inputDropout(forward), { config, stored }]
}

function readRNN(layer: KerasLayer, weights: Weights): Direction {
  layer.require('recurrent_dropout', 0, 'an LSTM has it')
  const { sizes, stored } = readCell(layer, weights, { blocks: 1 })
  const nonlinearity = functionOf(layer, 'activation', 'tanh')?.kind ?? 'linear'
  if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
    layer.fail('UnsupportedOption', `expected activation tanh or relu, got ${nonlinearity}`)
  return { options: { ...sizes, nonlinearity }, stored }
}
