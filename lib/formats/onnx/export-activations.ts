/** The functions of Activation and of LSTMs, where an operator set of version 17 has none made of others. */
import type { ActivationName } from '../../kernels/contract.ts'
import type { ActivationKind, ActivationNumbers } from '../../layers/activation.ts'
import type { GraphWriter } from './export-graph.ts'

type Emit = (graph: GraphWriter, x: string, numbers: Readonly<ActivationNumbers>) => string

const unary =
  (opType: string): Emit =>
  (graph, x) =>
    graph.add(opType, [x])
const softmax =
  (opType: string): Emit =>
  (graph, x) =>
    graph.add(opType, [x], { axis: -1 })

const emitters: Record<ActivationKind | ActivationName, Emit> = {
  linear: (_, x) => x,
  relu: unary('Relu'),
  relu6: (graph, x) => graph.add('Clip', [x, graph.scalar('float', 0), graph.scalar('float', 6)]),
  leakyRelu: (graph, x, { alpha }) => graph.add('LeakyRelu', [x], { alpha: { float: alpha! } }),
  elu: (graph, x, { alpha }) => graph.add('Elu', [x], { alpha: { float: alpha! } }),
  selu: unary('Selu'),
  sigmoid: unary('Sigmoid'),
  hardSigmoid: (graph, x, { alpha, beta }) =>
    graph.add('HardSigmoid', [x], { alpha: { float: alpha! }, beta: { float: beta! } }),
  tanh: unary('Tanh'),
  softsign: unary('Softsign'),
  softplus: unary('Softplus'),
  exponential: unary('Exp'),
  silu: (graph, x) => graph.add('Mul', [x, graph.add('Sigmoid', [x])]),
  hardSilu: unary('HardSwish'),
  mish: (graph, x) => graph.add('Mul', [x, graph.add('Tanh', [graph.add('Softplus', [x])])]),
  gelu: (graph, x) => halfOfOneMore(graph, x, graph.add('Erf', [times(graph, x, Math.SQRT1_2)])),
  geluTanh(graph, x) {
    const cube = graph.add('Mul', [graph.add('Mul', [x, x]), x])
    const inner = graph.add('Add', [x, times(graph, cube, 0.044715)])
    return halfOfOneMore(graph, x, graph.add('Tanh', [times(graph, inner, Math.sqrt(2 / Math.PI))]))
  },
  affine: (graph, x, { alpha, beta }) =>
    graph.add('Add', [times(graph, x, alpha!), graph.scalar('float', beta!)]),
  scaledTanh: (graph, x, { alpha, beta }) =>
    times(graph, graph.add('Tanh', [times(graph, x, beta!)]), alpha!),
  // The operator ThresholdedRelu is 0 at alpha itself.
  thresholdedRelu(graph, x, { alpha }) {
    const isBelow = graph.add('Less', [x, graph.scalar('float', alpha!)])
    return graph.add('Where', [isBelow, graph.scalar('float', 0), x])
  },
  softmax: softmax('Softmax'),
  logSoftmax: softmax('LogSoftmax'),
}

/** @returns the name of f(x) */
export function emitActivation(
  { kind, numbers }: { kind: ActivationKind | ActivationName; numbers: Readonly<ActivationNumbers> },
  x: string,
  graph: GraphWriter,
): string {
  return emitters[kind](graph, x, numbers)
}

function times(graph: GraphWriter, x: string, factor: number): string {
  return graph.add('Mul', [x, graph.scalar('float', factor)])
}

/** x/2·(1 + y) */
function halfOfOneMore(graph: GraphWriter, x: string, y: string): string {
  return graph.add('Mul', [times(graph, x, 0.5), graph.add('Add', [y, graph.scalar('float', 1)])])
}
