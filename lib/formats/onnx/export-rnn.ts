/** RNN as RNN operators, one a layer. */
import type { FloatArray } from '../../kernels/contract.ts'
import type { Layer } from '../../layers/layer.ts'
import type { RNNOptions } from '../../layers/rnn.ts'
import type { Attribute, Flow, Place } from './export-graph.ts'
import { parameterName } from './export-lstm-layer.ts'
import { emitRecurrent, keptWithoutSteps, type RecurrentCall } from './export-recurrent.ts'

/** [B, T, I] to [B, T, D·H], with the new state as an output of the graph. */
export function emitRNN(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph } = place
  const options = layer.config() as unknown as Required<RNNOptions>
  const { hiddenSize: H, numLayers, bidirectional, nonlinearity } = options
  const attributes: Record<string, Attribute> = {
    direction: bidirectional ? 'bidirectional' : 'forward',
    hidden_size: H,
  }
  if (nonlinearity === 'relu')
    attributes.activations = { strings: bidirectional ? ['Relu', 'Relu'] : ['Relu'] }
  const emitLayer = ({ k, x, lengths, initial }: RecurrentCall) => {
    const counts = lengths ? graph.add('Cast', [lengths], { to: 6 }) : ''
    const inputs = [x, ...weightsOf(layer, place, { k, bidirectional }), counts, initial?.[0] ?? '']
    const [y, h] = graph.addMany('RNN', inputs, attributes, 2)
    return { y, states: keptWithoutSteps(graph, [h], { lengths, initial }) }
  }
  return emitRecurrent({ numLayers, bidirectional, sizes: [H], emitLayer }, flow, place)
}

/** W [D, H, I], R [D, H, H] and B [D, 2H] of a layer; '' for the biases that it has not. */
function weightsOf(
  layer: Layer,
  { graph, path }: Place,
  { k, bidirectional }: { k: number; bidirectional: boolean },
): string[] {
  const parameters = new Map(layer.parameters())
  const suffixes = bidirectional ? [`_l${k}`, `_l${k}_reverse`] : [`_l${k}`]
  const stack = (name: string, sources: readonly string[]) => {
    const first = parameters.get(sources[0] + suffixes[0])
    if (!first) return ''
    const parts = suffixes.flatMap((suffix) =>
      sources.map((source) => parameters.get(source + suffix)!.array as FloatArray),
    )
    const [rows, ...columns] = first.shape
    const shape = [suffixes.length, sources.length * rows, ...columns]
    return graph.weight(parameterName(path, name + suffixes[0]), { shape, parts })
  }
  return [stack('W', ['weight_ih']), stack('R', ['weight_hh']), stack('B', ['bias_ih', 'bias_hh'])]
}
