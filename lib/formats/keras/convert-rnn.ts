/** SimpleRNN and Bidirectional(SimpleRNN) of Keras and tfjs. */
import type { LayerConfig } from '../../layers/layer.ts'
import { functionOf } from './activations.ts'
import type { Converted } from './convert.ts'
import type { KerasLayer } from './layer-config.ts'
import { requireShapes } from './tensors.ts'
import type { StoredWeight, Weights } from './weights.ts'

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
  const directions = [
    readRNN(forward, weights.inner('forward_layer')),
    readRNN(backward, weights.inner('backward_layer')),
  ]
  const [{ options }, other] = directions
  if (JSON.stringify(options) !== JSON.stringify(other.options))
    layer.fail('UnsupportedOption', 'expected both directions to have the same options')
  if (!forward.flag('return_sequences', false))
    layer.fail('UnsupportedOption', 'expected return_sequences: true: an RNN here gives all steps')
  layer.require('merge_mode', 'concat')
  if (layer.isMasked && layer.source.dialect !== 'tfjs')
    layer.fail('UnsupportedOption', 'expected no mask: masked steps of its Bidirectional are zeros there')
  const config = { type: 'RNN', ...options, bidirectional: true }
  return [...inputDropout(forward), { config, stored: directions.flatMap(({ stored }) => stored) }]
}

/** What the layer of one direction is, but for the order of its steps. */
function readRNN(
  layer: KerasLayer,
  weights: Weights,
): { options: Omit<LayerConfig, 'type'>; stored: StoredWeight[] } {
  layer.require('return_state', false, 'a layer with one output is supported')
  layer.require('stateful', false, 'state is carried by forward({ state })')
  layer.require('time_major', false)
  layer.require('recurrent_dropout', 0, 'an LSTM has it')
  const H = layer.integer('units')
  const bias = layer.flag('use_bias', true)
  const stored = weights.inner('cell').take(['kernel', 'recurrent_kernel', ...(bias ? ['bias'] : [])])
  const I = stored[0].shape[0]
  requireShapes(stored, [[I, H], [H, H], [H]], layer.source.path)
  const nonlinearity = functionOf(layer, 'activation', 'tanh')?.kind ?? 'linear'
  if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
    layer.fail('UnsupportedOption', `expected activation tanh or relu, got ${nonlinearity}`)
  return { options: { inputSize: I, hiddenSize: H, bias, nonlinearity }, stored }
}

/** The `dropout` of a recurrent layer falls on its input, the same elements at every step. */
export function inputDropout(layer: KerasLayer): Converted[] {
  const probability = layer.number('dropout', 0)
  return probability === 0 ? [] : [{ config: { type: 'Dropout', probability, acrossTime: true }, stored: [] }]
}
