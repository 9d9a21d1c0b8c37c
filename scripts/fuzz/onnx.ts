/** The readers of ONNX files: decoding a graph, and making layers of it. */
import { decodeOnnx, encodeOnnx } from '../../lib/formats/onnx/index.ts'
import { Sequential } from '../../lib/layers/sequential.ts'
import { integers, node, onnxFile, value, weights } from '../../test/support/onnx.ts'
import { type Files, type Mutation, mutateBytes } from './mutation.ts'
import { encodeMessage, mutateMessage, parseMessage } from './protobuf.ts'
import { first, madeHere, onFirst, type Reader, sample } from './reader.ts'
import { checkGraph, checkLayers } from './right.ts'

export function onnxReaders(): Reader[] {
  const { samples, mutate } = changes()
  return [
    {
      name: 'decodeOnnx',
      share: 40,
      samples,
      mutate,
      read: (files) => {
        const model = decodeOnnx(first(files), { external: files })
        return () => checkGraph(model)
      },
    },
    {
      name: 'toModel',
      share: 40,
      samples,
      mutate,
      read: (files) => {
        const model = decodeOnnx(first(files), { external: files }).toModel()
        return () => checkLayers(model)
      },
    },
  ]
}

function changes(): Pick<Reader, 'samples' | 'mutate'> {
  const names = [
    'conformance_test_lstm_batchwise',
    'conformance_test_lstm_with_peepholes',
    'op_bidirectional_lengths',
    'op_clip',
    'op_forward',
    'op_input_forget',
    'op_reverse',
    'stateful',
  ]
  const samples: Files[] = [
    ...names.map((name) => sample(`interop/${name}.onnx`)),
    ...['functions', 'lstm_everything', 'softmax_opset11', 'torchscript_argmax', 'dynamo_mean'].map((name) =>
      sample(`onnx/${name}.onnx`),
    ),
    ...['axes', 'function', 'nested', 'opset9'].map((name) => sample(`onnx/scan_${name}.onnx`)),
    ...['torchscript_film', 'torchscript_images_flat', 'torchscript_rnn'].map((name) =>
      sample(`onnx/${name}.onnx`),
    ),
    sample('interop/tagger_dynamo.onnx', 'interop/tagger_dynamo.onnx.data'),
    ...[
      ...madeHere()
        .filter((model) => model instanceof Sequential)
        .map((model) => encodeOnnx(model)),
      ...computed(),
    ].map((bytes) => new Map([['made.onnx', new Uint8Array(bytes)]])),
  ]
  const parsed = new Map(samples.map((files) => [files, parseMessage(first(files))!]))
  for (const [files, message] of parsed)
    if (encodeMessage(message).length === 0) throw new Error(`${[...files.keys()]} is no message`)
  return {
    samples,
    mutate: (files, mutations, donor) => {
      const change = (bytes: Uint8Array, each: readonly Mutation[]) =>
        each[0].kind % 11 === 0
          ? each.reduce(mutateBytes, bytes)
          : mutateMessage(parsed.get(files)!, parsed.get(donor)!, each)
      return onFirst(change)(files, mutations)
    },
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => Math.sin(i))

/** Graphs whose constants, windows and shapes are computed: a few bytes of them stand for sizes without end. */
function computed(): Uint8Array[] {
  const [h, c] = ['ConstantOfShape', 'Expand'].map((opType, i) =>
    node(opType, i === 0 ? ['states'] : ['zero', 'states'], [`s${i}`]),
  )
  const states = onnxFile({
    inputs: [value('x', ['T', 'B', 3])],
    nodes: [
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'one'], ['B']),
      node('Concat', ['one', 'B', 'four'], ['states'], { axis: 0 }),
      h,
      c,
      node('LSTM', ['x', 'W', 'R', '', '', 's0', 's1'], ['y4', '', ''], { hidden_size: 4 }),
      node('Squeeze', ['y4', 'one'], ['y']),
    ],
    initializers: [
      integers('one', [1]),
      integers('four', [4]),
      weights('zero', [1], [0]),
      weights('W', [1, 16, 3], numbers(48)),
      weights('R', [1, 16, 4], numbers(64)),
    ],
  })
  const layers = onnxFile({
    inputs: [value('x', ['B', 'T', 3])],
    nodes: [
      node('Expand', ['row', 'sizes'], ['tiled']),
      node('Tile', ['tiled', 'repeats'], ['kernel']),
      node('MatMul', ['x', 'kernel'], ['product']),
      node('ConstantOfShape', ['six'], ['shift']),
      node('Add', ['product', 'shift'], ['sum']),
      node('LayerNormalization', ['sum', 'gain'], ['normal']),
      node('ReduceMax', ['normal'], ['y'], { axes: [1], keepdims: 0 }),
    ],
    initializers: [
      weights('row', [3, 6], numbers(18)),
      integers('sizes', [3, 6]),
      integers('repeats', [1, 1]),
      integers('six', [6]),
      weights('gain', [1], [2]),
    ],
  })
  const windows = onnxFile({
    inputs: [value('x', ['B', 'T', 3])],
    nodes: [
      node('Transpose', ['x'], ['first'], { perm: [0, 2, 1] }),
      node('Conv', ['first', 'taps'], ['a'], {
        kernel_shape: [3],
        pads: [1, 1],
        strides: [1],
        dilations: [1],
      }),
      node('MaxPool', ['a'], ['b'], { kernel_shape: [2], pads: [1, 1], strides: [1] }),
      node('AveragePool', ['b'], ['d'], { kernel_shape: [2], strides: [2], count_include_pad: 1 }),
      node('Transpose', ['d'], ['y'], { perm: [0, 2, 1] }),
    ],
    initializers: [weights('taps', [2, 3, 3], numbers(18))],
  })
  // All that is decided while loading.
  const folded = onnxFile({
    inputs: [value('x', ['B', 'T', 4])],
    nodes: [
      node('ConstantOfShape', ['sizes'], ['zeros']),
      node('Pad', ['zeros', 'pads'], ['padded']),
      node('MaxPool', ['padded'], ['pooled'], { kernel_shape: [2], pads: [1, 1], strides: [1] }),
      node('CumSum', ['pooled', 'axis'], ['sums']),
      node('TopK', ['sums', 'k'], ['top', '']),
      node('Concat', ['top', 'top'], ['both'], { axis: 1 }),
      node('ReduceSum', ['both', 'axes'], ['shift'], { keepdims: 0 }),
      node('Range', ['first', 'last', 'step'], ['range']),
      node('Gather', ['shift', 'range'], ['picked']),
      node('MatMul', ['x', 'W'], ['product']),
      node('Add', ['product', 'picked'], ['y']),
    ],
    initializers: [
      weights('W', [4, 4], numbers(16)),
      integers('sizes', [1, 4, 3]),
      integers('pads', [0, 0, 1, 0, 0, 1]),
      integers('axis', [2], []),
      integers('axes', [0, 2]),
      integers('k', [3]),
      integers('first', [0], []),
      integers('last', [4], []),
      integers('step', [1], []),
    ],
  })
  return [states, layers, windows, folded]
}
