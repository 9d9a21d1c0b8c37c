/** A layer of an LSTM as the operator of that name. */
import type { FloatArray } from '../../kernels/contract.ts'
import { type LSTMLayer, parameterName, suffixesOf } from './export-lstm-layer.ts'
import { variantOf } from './export-lstm-options.ts'
import { keptWithoutSteps } from './export-recurrent.ts'

/** Where ONNX's blocks i, o, f, c stand among our i, f, g, o. */
const gates = [0, 3, 1, 2]
/** Where ONNX's peepholes i, o, f stand among our i, f, o. */
const peepholes = [0, 2, 1]

/** x [T, B, I] to y [T, D, B, H], h and c [D, B, H]. */
export function emitOperator(call: LSTMLayer): { y: string; h: string; c: string } {
  const { graph, options, x, lengths, initial = ['', ''] } = call
  const H = options.hiddenSize
  const direction = options.bidirectional ? 'bidirectional' : options.reverse ? 'reverse' : 'forward'
  const [W, R, B, P] = weightsOf(call)
  const counts = lengths ? graph.add('Cast', [lengths], { to: 6 }) : ''
  const attributes = { direction, hidden_size: H, ...variantOf(options) }
  const [y, h, c] = graph.addMany('LSTM', [x, W, R, B, counts, ...initial, P], attributes, 3)
  const [hn, cn] = keptWithoutSteps(graph, [h, c], call)
  return { y, h: hn, c: cn }
}

/** W, R, B and P; '' for those it has not. */
function weightsOf({ graph, path, parameters, options, k }: LSTMLayer): string[] {
  const suffixes = suffixesOf(options, k)
  const stack = (name: string, sources: readonly string[], blocks: readonly number[], columns: number[]) => {
    if (!parameters.has(sources[0] + suffixes[0])) return ''
    const parts = suffixes.flatMap((suffix) =>
      sources.flatMap((source) => {
        const array = parameters.get(source + suffix)!.array as FloatArray
        const size = array.length / blocks.length
        return blocks.map((block) => array.subarray(block * size, (block + 1) * size))
      }),
    )
    const shape = [suffixes.length, sources.length * blocks.length * options.hiddenSize, ...columns]
    return graph.weight(parameterName(path, name + suffixes[0]), { shape, parts })
  }
  const I = parameters.get(`weight_ih${suffixes[0]}`)!.shape[1]
  return [
    stack('W', ['weight_ih'], gates, [I]),
    stack('R', ['weight_hh'], gates, [options.hiddenSize]),
    stack('B', ['bias_ih', 'bias_hh'], gates, []),
    stack('P', ['peephole'], peepholes, []),
  ]
}
