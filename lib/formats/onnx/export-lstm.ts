/** LSTM and LSTMCell as LSTM operators, one a layer, or as Scans where the operator has not what their options ask for. */
import type { Layer } from '../../layers/layer.ts'
import type { Flow, Place } from './export-graph.ts'
import { type LSTMLayer, parameterName } from './export-lstm-layer.ts'
import { emitOperator } from './export-lstm-operator.ts'
import { type LSTMConfig as Config, hasOperator } from './export-lstm-options.ts'
import { emitScan, emitStep } from './export-lstm-scan.ts'
import { emitRecurrent, initialStates } from './export-recurrent.ts'

/** [B, T, I] to [B, T, D·R], with new states as outputs of the graph. */
export function emitLSTM(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph, path } = place
  const options = layer.config() as Config
  const { hiddenSize: H, numLayers = 1, bidirectional = false, projectionSize } = options
  const emitLayer = hasOperator(options) ? emitOperator : emitScan
  const parameters = new Map(layer.parameters())
  const recurrent = {
    ...options,
    numLayers,
    bidirectional,
    sizes: [projectionSize || H, H],
    emitLayer(call: Pick<LSTMLayer, 'x' | 'batch' | 'lengths' | 'initial'> & { k: number }) {
      const { y, h, c } = emitLayer({ graph, path, options, parameters, ...call })
      return { y, states: [h, c] }
    },
  }
  return emitRecurrent(recurrent, flow, place)
}

/** [B, I] to [B, H]: a sequence of one step. */
export function emitLSTMCell(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph, path } = place
  const options = layer.config() as Config
  const H = options.hiddenSize
  const R = options.projectionSize || H
  const shapes = [R, H].map((size) => ['B', size])
  const first = graph.integers(0)
  const lift = (name: string) => graph.add('Unsqueeze', [name, first])
  const initial = place.carriesState ? initialStates(place, flow, shapes) : undefined
  const parameters = new Map(layer.parameters())
  const batch = flow.shape[0]
  const call: LSTMLayer = { graph, path, options, parameters, x: flow.name, batch }
  let [name, cn]: string[] = []
  if (hasOperator(options)) {
    const { h, c } = emitOperator({ ...call, x: lift(flow.name), initial: initial?.map(lift) })
    ;[name, cn] = [h, c].map((each) => graph.add('Squeeze', [each, first]))
  } else ({ h: name, c: cn } = emitStep(call, initial))
  if (place.carriesState) {
    graph.output(parameterName(path, 'hn'), name, shapes[0])
    graph.output(parameterName(path, 'cn'), cn, shapes[1])
  }
  return { ...flow, name, shape: [batch, R], mask: undefined }
}
