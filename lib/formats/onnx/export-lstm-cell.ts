/**
 * The step of an LSTM that the operator has not, made of others: with a projection, layer normalisation, zoneout or any
 * function. The equations stand at `LstmForward` in the contract of the kernels.
 */
import type { FloatArray } from '../../kernels/contract.ts'
import type { LstmActivationOption } from '../../operations/lstm-variant.ts'
import { emitActivation } from './export-activations.ts'
import type { GraphWriter } from './export-graph.ts'
import { type LSTMLayer, parameterName } from './export-lstm-layer.ts'
import { activationOf, type LSTMConfig } from './export-lstm-options.ts'
import { emitNormalization } from './export-normalization.ts'

/** That of the layer and of `LstmForward.eps`. */
const eps = 1e-5

/** The parameters of one layer and direction in a graph, and what comes of x before the first step. */
export interface CellWeights {
  readonly options: LSTMConfig
  /** [..., I] to what the gates have of it, [..., 4H]: LN(x·W_ihᵀ) + b_ih + b_hh */
  readonly fromInput: (x: string) => string
  /** [R, 4H] */
  readonly recurrent: string
  /** [H, R] */
  readonly projection?: string
  /** Of i, f and o, [H] each. */
  readonly peepholes?: readonly string[]
  /** [4H] */
  readonly recurrentGain?: string
  /** Gain and shift, [H] each. */
  readonly cellNorm?: readonly string[]
}

export function cellWeights({ graph, path, parameters, options }: LSTMLayer, suffix: string): CellWeights {
  const stored = (name: string) => {
    const parameter = parameters.get(name + suffix)
    if (!parameter) return undefined
    const { shape, array } = parameter
    return graph.weight(parameterName(path, name + suffix), { shape, parts: [array as FloatArray] })
  }
  const turned = (matrix: string) => graph.add('Transpose', [matrix], { perm: [1, 0] })
  const rows = (matrix: string, count: number) =>
    Array.from({ length: count }, (_, i) => graph.add('Gather', [matrix, graph.scalar('int64', i)]))

  const input = turned(stored('weight_ih')!)
  const [gain, biasIh, biasHh] = [stored('norm_ih'), stored('bias_ih'), stored('bias_hh')]
  const bias = biasIh && graph.add('Add', [biasIh, biasHh!])
  const [projection, peephole, cellNorm] = [stored('weight_hr'), stored('peephole'), stored('norm_cell')]
  return {
    options,
    fromInput(x) {
      const product = normalised(graph, graph.add('MatMul', [x, input]), gain)
      return bias ? graph.add('Add', [product, bias]) : product
    },
    recurrent: turned(stored('weight_hh')!),
    recurrentGain: stored('norm_hh'),
    projection: projection && turned(projection),
    peepholes: peephole ? rows(peephole, 3) : undefined,
    cellNorm: cellNorm ? rows(cellNorm, 2) : undefined,
  }
}

/** What x gives to the gates [B, 4H], h [B, R] and c [B, H] to the next h and c. */
export function emitCell(
  graph: GraphWriter,
  weights: CellWeights,
  { gates, h, c }: { gates: string; h: string; c: string },
): { h: string; c: string } {
  const { options, recurrent, recurrentGain, projection, peepholes, cellNorm } = weights
  const fromState = normalised(graph, graph.add('MatMul', [h, recurrent]), recurrentGain)
  const sums = graph.addMany('Split', [graph.add('Add', [gates, fromState])], { axis: -1 }, 4)
  const gate = (at: 0 | 1 | 3, cell: string) => {
    const weight = peepholes?.[Math.min(at, 2)]
    const seen = weight && graph.add('Mul', [cell, weight])
    const sum = seen ? graph.add('Add', [sums[at], seen]) : sums[at]
    return bounded(graph, sum, options, options.gateActivation)
  }

  // ĉ = f∘c[t-1] + i∘g
  const i = gate(0, c)
  const f = options.coupledInputForget ? graph.add('Sub', [graph.scalar('float', 1), i]) : gate(1, c)
  const g = bounded(graph, sums[2], options, options.cellActivation)
  const cell = graph.add('Add', [graph.add('Mul', [f, c]), graph.add('Mul', [i, g])])

  // o∘tanh(LN(ĉ)), through the projection if there is one
  const o = gate(3, cell)
  const inner = normalised(graph, cell, ...(cellNorm ?? []))
  const outer = graph.add('Mul', [o, activated(graph, inner, options.outputActivation)])
  const output = projection ? graph.add('MatMul', [outer, projection]) : outer
  return {
    h: zonedOut(graph, options.zoneoutHidden, h, output),
    c: zonedOut(graph, options.zoneoutCell, c, cell),
  }
}

/** The expectation of what stays and what comes: z·before + (1 - z)·after. */
function zonedOut(graph: GraphWriter, z: number, before: string, after: string): string {
  if (z === 0) return after
  const [kept, taken] = [graph.scalar('float', z), graph.scalar('float', 1 - z)]
  return graph.add('Add', [graph.add('Mul', [before, kept]), graph.add('Mul', [after, taken])])
}

/** Over the last axis; as it is without a gain. */
function normalised(graph: GraphWriter, x: string, gain?: string, shift?: string): string {
  if (!gain) return x
  return emitNormalization(graph, shift ? [x, gain, shift] : [x, gain], eps)
}

/** f(x) with x kept in [-clip, clip]. */
function bounded(
  graph: GraphWriter,
  x: string,
  { clip }: LSTMConfig,
  activation: LstmActivationOption = 'sigmoid',
): string {
  if (!clip) return activated(graph, x, activation)
  const bounds = [-clip, clip].map((n) => graph.scalar('float', n))
  return activated(graph, graph.add('Clip', [x, ...bounds]), activation)
}

function activated(graph: GraphWriter, x: string, activation: LstmActivationOption): string {
  const { kind, ...numbers } = activationOf(activation)
  return emitActivation({ kind, numbers }, x, graph)
}
