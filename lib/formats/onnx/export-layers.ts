/** What each layer of the package is in a graph. */
import { describe } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import type { Activation } from '../../layers/activation.ts'
import { Layer, type Model } from '../../layers/layer.ts'
import { Sequential } from '../../layers/sequential.ts'
import type { TimeDistributed } from '../../layers/steps.ts'
import { emitActivation } from './export-activations.ts'
import { emitAttention } from './export-attention.ts'
import { cannotExport, type Dim, type Flow, type Place } from './export-graph.ts'
import { emitLSTM, emitLSTMCell } from './export-lstm.ts'
import { emitBatchNorm, emitNormalization } from './export-normalization.ts'
import { emitRNN } from './export-rnn.ts'
import { countUp, keptSteps, lengthOf, stepBefore } from './export-steps.ts'
import { emitConvolution, emitGlobalPool, emitPool } from './export-windows.ts'

type Emit = (layer: Layer, flow: Flow, place: Place) => Flow

const emitters: Record<string, Emit> = {
  Activation: (layer, flow, { graph }) => ({
    ...flow,
    name: emitActivation(layer as Activation, flow.name, graph),
  }),
  AveragePool1d: emitPool,
  AveragePool2d: emitPool,
  BatchNorm: emitBatchNorm,
  Conv1d: emitConvolution,
  Conv2d: emitConvolution,
  Dropout: (_, flow) => flow,
  Embedding: emitEmbedding,
  Flatten: emitFlatten,
  GlobalAveragePool1d: emitGlobalPool,
  GlobalAveragePool2d: emitGlobalPool,
  GlobalMaxPool1d: emitGlobalPool,
  GlobalMaxPool2d: emitGlobalPool,
  LastStep: emitLastStep,
  LayerNorm: emitLayerNorm,
  Linear: emitLinear,
  LSTM: emitLSTM,
  LSTMCell: emitLSTMCell,
  Masking: emitMasking,
  MaxPool1d: emitPool,
  MaxPool2d: emitPool,
  MultiHeadAttention: emitAttention,
  Reverse: emitReverse,
  RNN: emitRNN,
  Sequential: emitSequential,
  TimeDistributed: emitTimeDistributed,
}

/**
 * Adds a layer to the graph.
 *
 * @throws {FileFormatError} UnsupportedLayer for what ONNX has nothing for
 * @throws {TypeError} for a model that is none of the package's layers
 */
export function emit(model: Model, flow: Flow, place: Place): Flow {
  if (!(model instanceof Layer)) {
    throw new TypeError(
      `saveOnnx: expected layers of the package, got ${describe(model)} at ${JSON.stringify(place.path)}`,
    )
  }
  // A Sequential's configuration is that of all its layers, which may be of other classes.
  const type = model instanceof Sequential ? 'Sequential' : model.config().type
  if (!Object.hasOwn(emitters, type)) cannotExport(place, model, 'this package writes no operators for it')
  place.graph.enter(place.path)
  const result = emitters[type](model, flow, place)
  return result.shape.length > 2 ? result : { ...result, mask: undefined }
}

function emitSequential(layer: Layer, flow: Flow, place: Place): Flow {
  const { layers } = layer as Sequential
  return layers.reduce((current, each, i) => emit(each, current, within(place, String(i))), flow)
}

function within(place: Place, name: string): Place {
  return { ...place, path: place.path === '' ? name : `${place.path}.${name}` }
}

/** The parameters of a layer as they are. */
function weightsOf(layer: Layer, { graph, path }: Place): string[] {
  return [...layer.parameters()].map(([name, { shape, array }]) =>
    graph.weight(path === '' ? name : `${path}.${name}`, { shape, parts: [array as FloatArray] }),
  )
}

function emitLinear(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph } = place
  const [weight, ...bias] = weightsOf(layer, place)
  const shape = flow.shape.with(-1, layer.config().outputSize as number)
  if (shape.length === 2)
    return { ...flow, name: graph.add('Gemm', [flow.name, weight, ...bias], { transB: 1 }), shape }
  const product = graph.add('MatMul', [flow.name, graph.add('Transpose', [weight], { perm: [1, 0] })])
  return { ...flow, name: bias.length > 0 ? graph.add('Add', [product, ...bias]) : product, shape }
}

function emitLayerNorm(layer: Layer, flow: Flow, place: Place): Flow {
  const inputs = [flow.name, ...weightsOf(layer, place)] as const
  return { ...flow, name: emitNormalization(place.graph, inputs, layer.config().eps as number) }
}

function emitEmbedding(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph } = place
  const { embeddingSize, maskZero } = layer.config()
  const name = graph.add('Gather', [...weightsOf(layer, place), flow.name], { axis: 0 })
  const isZero = () => graph.add('Equal', [flow.name, graph.scalar('int64', 0)])
  const mask = maskZero ? graph.add('Not', [isZero()]) : flow.mask
  return { ...flow, name, shape: [...flow.shape, embeddingSize as number], mask }
}

/** The step before the end of the sequence, or after the last one that the mask lets count. */
function emitLastStep(_: Layer, flow: Flow, { graph }: Place): Flow {
  const { name, lengths, mask } = flow
  const shape = [flow.shape[0], flow.shape[2]]
  if (!lengths && !mask)
    return { ...flow, name: graph.add('Gather', [name, graph.scalar('int64', -1)], { axis: 1 }), shape }
  return { ...flow, name: stepBefore(graph, name, mask ? lastKept(flow, graph) : lengths!()), shape }
}

function lastKept(flow: Flow, graph: Place['graph']): string {
  const kept = graph.add('Cast', [keptSteps(graph, flow)!], { to: 7 })
  const t = countUp(graph, lengthOf(graph, flow.name, 1))
  const ends = graph.add('Mul', [kept, graph.add('Add', [t, graph.scalar('int64', 1)])])
  return graph.add('ReduceMax', [ends], { axes: [1], keepdims: 0 })
}

function emitFlatten(_: Layer, flow: Flow, { graph }: Place): Flow {
  const [B, ...rest] = flow.shape
  const size = rest.reduce<Dim>(
    (n, each) => (typeof n === 'number' && typeof each === 'number' ? n * each : null),
    1,
  )
  return { ...flow, name: graph.add('Flatten', [flow.name], { axis: 1 }), shape: [B, size], mask: undefined }
}

/** Steps whose features all equal the value do not count and become 0. */
function emitMasking(layer: Layer, flow: Flow, { graph }: Place): Flow {
  const value = graph.scalar('float', layer.config().value as number)
  const differs = graph.add('Cast', [graph.add('Not', [graph.add('Equal', [flow.name, value])])], { to: 6 })
  const axes = flow.shape.map((_, axis) => axis).slice(2)
  const any = graph.add('ReduceMax', [differs], { axes, keepdims: 1 })
  const isKept = graph.add('Cast', [any], { to: 9 })
  const name = graph.add('Where', [isKept, flow.name, graph.scalar('float', 0)])
  return { ...flow, name, mask: graph.add('Squeeze', [isKept, graph.integers(...axes)]) }
}

function emitReverse(layer: Layer, flow: Flow, { graph }: Place): Flow {
  const turn = (name: string) =>
    flow.lengths
      ? graph.add('ReverseSequence', [name, flow.lengths()], { batch_axis: 0, time_axis: 1 })
      : graph.add('Slice', [name, ...[-1, -(2 ** 31), 1, -1].map((n) => graph.integers(n))])
  return {
    ...flow,
    name: turn(flow.name),
    mask: flow.mask && !layer.config().keepMask ? turn(flow.mask) : flow.mask,
  }
}

/** Steps as items of a batch, where the layer looks at more than the last axis. */
function emitTimeDistributed(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph } = place
  const inner = (layer as TimeDistributed).layer
  const innerPlace = { ...within(place, 'layer'), carriesState: false }
  const alone = { name: flow.name, shape: flow.shape }
  if (['Activation', 'BatchNorm', 'Dropout', 'LayerNorm', 'Linear'].includes(inner.config().type)) {
    return { ...flow, ...emit(inner, alone, innerPlace), lengths: flow.lengths, mask: flow.mask }
  }
  const outer = graph.add('Shape', [flow.name], { end: 2 })
  const item = graph.add('Shape', [flow.name], { start: 2 })
  const items = graph.add('Concat', [graph.integers(-1), item], { axis: 0 })
  const each = graph.add('Reshape', [flow.name, items])
  const [B, T, ...rest] = flow.shape
  const { name, shape } = emit(inner, { name: each, shape: [null, ...rest] }, innerPlace)
  const result = graph.add('Concat', [outer, graph.add('Shape', [name], { start: 1 })], { axis: 0 })
  return { ...flow, name: graph.add('Reshape', [name, result]), shape: [B, T, ...shape.slice(1)] }
}
