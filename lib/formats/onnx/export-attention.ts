/** MultiHeadAttention of a sequence to itself, as products of matrices with a softmax between them. */
import type { FloatArray } from '../../kernels/contract.ts'
import { type Layer, parametersOf } from '../../layers/layer.ts'
import type { MultiHeadAttentionOptions } from '../../layers/multi-head-attention.ts'
import { cannotExport, type Flow, type GraphWriter, type Place } from './export-graph.ts'
import { countUp, keptSteps, lengthOf } from './export-steps.ts'

type Options = Required<Omit<MultiHeadAttentionOptions, 'seed'>>

/** x [B, T, E] to [B, T, E]: head n of softmax(Q·Kᵀ / √(E / heads))·V for each, side by side through `out_proj`. */
export function emitAttention(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph, path } = place
  const { embedSize: E, heads, keySize, valueSize, causal } = layer.config() as unknown as Options
  if (keySize !== E || valueSize !== E)
    cannotExport(place, layer, 'its keys and values come from another sequence, of which a stack has none')
  const parameters = parametersOf(layer)
  const project = (x: string, weight: string, bias: string) => {
    const [matrix, shift] = [weight, bias].map((name) => {
      const found = parameters.get(name)
      if (!found) return ''
      const { shape, array } = found
      return graph.weight(path === '' ? name : `${path}.${name}`, { shape, parts: [array as FloatArray] })
    })
    const product = graph.add('MatMul', [x, graph.add('Transpose', [matrix], { perm: [1, 0] })])
    return shift ? graph.add('Add', [product, shift]) : product
  }
  const all = project(flow.name, 'in_proj_weight', 'in_proj_bias')
  const parts = graph.addMany('Split', [all], { axis: -1 }, 3)
  const [q, k, v] = parts.map((part, i) => {
    const each = graph.add('Reshape', [part, graph.integers(0, 0, heads, E / heads)])
    // Keys [B, heads, E / heads, S], the others [B, heads, T, E / heads].
    return graph.add('Transpose', [each], { perm: i === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3] })
  })
  const scale = graph.scalar('float', 1 / Math.sqrt(E / heads))
  const scores = graph.add('Mul', [graph.add('MatMul', [q, k]), scale])
  const result = graph.add('MatMul', [weightsOf(graph, scores, { flow, causal }), v])
  const joined = graph.add('Reshape', [
    graph.add('Transpose', [result], { perm: [0, 2, 1, 3] }),
    graph.integers(0, 0, E),
  ])
  return { ...flow, name: project(joined, 'out_proj.weight', 'out_proj.bias') }
}

/** The softmax of scores [B, heads, T, S] over the keys that count; zeros where none does. */
function weightsOf(
  graph: GraphWriter,
  scores: string,
  { flow, causal }: { flow: Flow; causal: boolean },
): string {
  const isKept = keptSteps(graph, flow)
  const isCounted = isKept && graph.add('Unsqueeze', [isKept, graph.integers(1, 2)])
  const isSeen = causal ? isBefore(graph, flow.name) : undefined
  const isKey = isCounted && isSeen ? graph.add('And', [isCounted, isSeen]) : (isCounted ?? isSeen)
  const softmax = (x: string) => graph.add('Softmax', [x], { axis: -1 })
  if (!isKey) return softmax(scores)
  const none = graph.scalar('float', Number.NEGATIVE_INFINITY)
  const weights = softmax(graph.add('Where', [isKey, scores, none]))
  return graph.add('Where', [isKey, weights, graph.scalar('float', 0)])
}

/** bool [T, T]: whether a key stands no later than the query. */
function isBefore(graph: GraphWriter, x: string): string {
  const t = countUp(graph, lengthOf(graph, x, 1))
  const query = graph.add('Unsqueeze', [t, graph.integers(1)])
  return graph.add('LessOrEqual', [t, query])
}
