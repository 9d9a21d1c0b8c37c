/** What LSTM and SimpleRNN of Keras and tfjs have in common. */
import type { LayerConfig } from '../../layers/layer.ts'
import type { Converted } from './convert.ts'
import type { KerasLayer } from './layer-config.ts'
import { requireShapes } from './tensors.ts'
import type { StoredWeight, Weights } from './weights.ts'

/** What a layer of one direction is, but for the order of its steps. */
export interface Direction {
  options: Omit<LayerConfig, 'type'>
  stored: StoredWeight[]
}

/** Sizes and weights of a cell. @param blocks of the weights: one a gate */
export function readCell(layer: KerasLayer, weights: Weights, { blocks }: { blocks: number }) {
  layer.require('return_state', false, 'a layer with one output is supported')
  layer.require('stateful', false, 'state is carried by forward({ state })')
  layer.require('time_major', false)
  const H = layer.integer('units')
  const bias = layer.flag('use_bias', true)
  const stored = weights.inner('cell').take(['kernel', 'recurrent_kernel', ...(bias ? ['bias'] : [])])
  const I = stored[0].shape[0]
  requireShapes(stored, [[I, blocks * H], [H, blocks * H], [blocks * H]], layer.source.path)
  return { sizes: { inputSize: I, hiddenSize: H, bias }, stored }
}

/** Both directions of a Bidirectional, which must have the same options. */
export function readDirections(
  layer: KerasLayer,
  { forward, backward }: { forward: KerasLayer; backward: KerasLayer },
  weights: Weights,
  read: (layer: KerasLayer, weights: Weights) => Direction,
): Direction {
  const directions = [
    read(forward, weights.inner('forward_layer')),
    read(backward, weights.inner('backward_layer')),
  ]
  const [{ options }, other] = directions
  if (JSON.stringify(options) !== JSON.stringify(other.options))
    layer.fail('UnsupportedOption', 'expected both directions to have the same options')
  return { options, stored: directions.flatMap(({ stored }) => stored) }
}

/** The `dropout` of a recurrent layer falls on its input, the same elements at every step. */
export function inputDropout(layer: KerasLayer): Converted[] {
  const probability = layer.number('dropout', 0)
  return probability === 0 ? [] : [{ config: { type: 'Dropout', probability, acrossTime: true }, stored: [] }]
}
