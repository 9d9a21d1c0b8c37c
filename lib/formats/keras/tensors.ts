/** Parameters as Keras has them: what stands as rows here stands as columns there; the gates' order i, f, c, o is ours. */
import { FileFormatError } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import { BatchNorm } from '../../layers/batch-norm.ts'
import { Conv1d } from '../../layers/convolution.ts'
import { Conv2d } from '../../layers/convolution2d.ts'
import { Embedding } from '../../layers/embedding.ts'
import { type Layer, layersOf } from '../../layers/layer.ts'
import { Linear } from '../../layers/linear.ts'
import { LSTM } from '../../layers/lstm.ts'
import { LayerNorm } from '../../layers/normalization.ts'
import { RNN } from '../../layers/rnn.ts'
import { sizeOf, type Tensor } from '../../tensor.ts'
import type { StoredWeight } from './weights.ts'

/** A tensor of a layer of Keras, and the parameter that holds its numbers here. */
export interface KerasTensor {
  name: string
  shape: readonly number[]
  /** The numbers in Keras' order. */
  read(): Float32Array
  /** Takes numbers in Keras' order. */
  write(data: FloatArray): void
}

/** The tensors of a model's layers, in the order of the layers and, of an LSTM, of its layers and directions. */
export function tensorsOf(model: object): KerasTensor[] {
  return [...layersOf(model)].flatMap(([, layer]) => tensorsOfLayer(layer))
}

/** The tensors of one layer without those inside it. */
export function tensorsOfLayer(layer: Layer): KerasTensor[] {
  const directed: readonly (readonly Directed[])[] | undefined =
    layer instanceof LSTM || layer instanceof RNN ? layer.weights : undefined
  if (directed) return directed.flat().flatMap(recurrentTensors)
  if (layer instanceof Linear) return linearTensors(layer)
  if (layer instanceof Embedding) return [plain('embeddings', layer.weight)]
  if (layer instanceof LayerNorm) return [plain('gamma', layer.weight), plain('beta', layer.bias)]
  if (layer instanceof BatchNorm) {
    const { weight, bias, running_mean, running_var } = layer
    const statistics = [plain('moving_mean', running_mean), plain('moving_variance', running_var)]
    return [plain('gamma', weight), plain('beta', bias), ...statistics]
  }
  return layer instanceof Conv1d || layer instanceof Conv2d ? convolutionTensors(layer) : []
}

function linearTensors({ weight, bias }: Linear): KerasTensor[] {
  return [transposed('kernel', weight), ...(bias ? [plain('bias', bias)] : [])]
}

/** [O, I, K] or [O, I, K, L] here, [K, I, O] or [K, L, I, O] there. */
function convolutionTensors({ weight, bias }: Conv1d | Conv2d): KerasTensor[] {
  const [O, I, ...windows] = weight.shape
  const K = sizeOf(windows)
  const kernel: KerasTensor = {
    name: 'kernel',
    shape: [...windows, I, O],
    read: () => swapOuter(weight.array as FloatArray, [O, I, K], new Float32Array(O * I * K)),
    write: (data) => {
      swapOuter(data, [K, I, O], weight.array as FloatArray)
    },
  }
  return [kernel, ...(bias ? [plain('bias', bias)] : [])]
}

/** The parameters of one layer and direction. */
interface Directed {
  weightIh: Tensor
  weightHh: Tensor
  biasIh?: Tensor
  biasHh?: Tensor
}

/**
 * One bias there, two here, whose sum counts. It comes into the first, with zeros in the second, and so comes out as it went
 * in; plain SGD then moves the sum twice as far as in Keras, which has one.
 */
export function recurrentTensors({ weightIh, weightHh, biasIh, biasHh }: Directed): KerasTensor[] {
  const tensors = [transposed('kernel', weightIh), transposed('recurrent_kernel', weightHh)]
  if (!biasIh || !biasHh) return tensors
  const [first, second] = [biasIh.array, biasHh.array] as [FloatArray, FloatArray]
  const bias: KerasTensor = {
    name: 'bias',
    shape: biasIh.shape,
    // Not the sum where there is nothing to add: -0 + 0 is 0.
    read: () => Float32Array.from(first, (value, i) => (second[i] === 0 ? value : value + second[i])),
    write: (data) => {
      first.set(data)
      second.fill(0)
    },
  }
  return [...tensors, bias]
}

/**
 * The tensors of a file into those of a model, one after the other, once their shapes are known to be the same.
 *
 * @throws {FileFormatError} if a shape differs, when nothing has been written, or a tensor cannot be read
 */
export function fill(tensors: readonly KerasTensor[], stored: readonly StoredWeight[], path?: string): void {
  const shapes = tensors.map(({ shape }) => shape)
  requireShapes(stored, shapes, path)
  for (const [i, tensor] of tensors.entries()) tensor.write(stored[i].read())
}

export function requireShapes(
  stored: readonly StoredWeight[],
  shapes: readonly (readonly number[])[],
  path?: string,
): void {
  for (const [i, { name, shape }] of stored.entries()) {
    if (String(shape) === String(shapes[i])) continue
    const message = `expected shape [${shapes[i]}], got [${shape}]; the layer's sizes are others`
    throw new FileFormatError(`${path ?? 'Keras'}, ${name}: ${message}`, {
      code: 'ShapeMismatch',
      path,
      tensor: name,
    })
  }
}

function plain(name: string, { shape, array }: Tensor): KerasTensor {
  return {
    name,
    shape,
    read: () => Float32Array.from(array as FloatArray),
    write: (data) => array.set(data),
  }
}

function transposed(name: string, { shape: [rows, columns], array }: Tensor): KerasTensor {
  return {
    name,
    shape: [columns, rows],
    read: () => swapOuter(array as FloatArray, [rows, 1, columns], new Float32Array(array.length)),
    write: (data) => {
      swapOuter(data, [columns, 1, rows], array as FloatArray)
    },
  }
}

/** [A, B, C] to [C, B, A]. Rows are read in tiles, so that both sides stay in the cache. */
function swapOuter<T extends FloatArray>(from: FloatArray, [A, B, C]: readonly number[], to: T): T {
  const tile = 32
  for (let a0 = 0; a0 < A; a0 += tile) {
    for (let c0 = 0; c0 < C; c0 += tile) {
      for (let b = 0; b < B; b++) {
        for (let a = a0; a < Math.min(A, a0 + tile); a++) {
          for (let c = c0; c < Math.min(C, c0 + tile); c++)
            to[(c * B + b) * A + a] = from[(a * B + b) * C + c]
        }
      }
    }
  }
  return to
}
