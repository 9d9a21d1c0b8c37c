/** The numbers of a case, the same for every contender: weights, inputs, states and upstream gradients, in one file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { Random } from '../lib/random.ts'
import type { Case } from './cases.ts'
import { inputSizes, lengthsOf } from './statistics.ts'

export interface Entry {
  name: string
  shape: readonly number[]
  /** Where its float32 (int32 for `tokens` and `targets`) values begin in the file, in bytes. */
  offset: number
}

export type Values = Float32Array | Int32Array

export interface Named {
  shape: readonly number[]
  data: Values
}

export type Tensors = Record<string, Named>

/** What a contender is asked to prepare. */
export interface Problem {
  case: Case
  threads: number
  tensors: Tensors
  /** Valid steps of each sequence; absent if all are full. */
  lengths: Int32Array | undefined
}

/**
 * Draws everything that a case needs:
 *
 *     x [B, T, I], h0 and c0 [L·D, B, H], dy [B, T, D·H] for training, target [B, T, O] for a model of series;
 *     tokens [B, T] and targets [B, T] (int32) for a model of tokens, with its embedding.weight [V, I];
 *     weight_ih_l0 ... as torch.nn.LSTM, head.weight and head.bias of a model's linear layer.
 */
export function drawTensors(one: Case): Tensors {
  const { B, T, I, H, layers, directions, mode, model } = one
  const random = new Random(1997)
  const draw = (limit: number) => (2 * random.uniform() - 1) * limit
  const tensors: Tensors = {}
  const floats = (name: string, shape: number[], limit: number) => {
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
    for (let i = 0; i < data.length; i++) data[i] = draw(limit)
    tensors[name] = { shape, data }
  }
  const tokens = (name: string, below: number) => {
    tensors[name] = { shape: [B, T], data: Int32Array.from({ length: B * T }, () => random.integer(below)) }
  }
  const limit = 1 / Math.sqrt(H)
  inputSizes(one).forEach((inputs, layer) => {
    for (const suffix of directions === 2 ? ['', '_reverse'] : ['']) {
      floats(`weight_ih_l${layer}${suffix}`, [4 * H, inputs], limit)
      floats(`weight_hh_l${layer}${suffix}`, [4 * H, H], limit)
      floats(`bias_ih_l${layer}${suffix}`, [4 * H], limit)
      floats(`bias_hh_l${layer}${suffix}`, [4 * H], limit)
    }
  })
  if (model) {
    floats('head.weight', [model.outputs, directions * H], limit)
    floats('head.bias', [model.outputs], limit)
  }
  if (model?.kind === 'tokens') {
    floats('embedding.weight', [model.outputs, I], 1)
    tokens('tokens', model.outputs)
    tokens('targets', model.outputs)
  } else {
    floats('x', [B, T, I], 1)
    if (model) floats('target', [B, T, model.outputs], 1)
  }
  if (!model) {
    floats('h0', [layers * directions, B, H], 0.5)
    floats('c0', [layers * directions, B, H], 0.5)
  }
  if (mode === 'training') floats('dy', [B, T, directions * H], 1)
  return tensors
}

/** The lengths of a case where it has padding. */
export function problemLengths(one: Case): Int32Array | undefined {
  return one.lengths && Int32Array.from(lengthsOf(one))
}

/** Writes all tensors into one file, in the machine's byte order, and says where each lies. */
export function writeTensors(path: string, tensors: Tensors): Entry[] {
  let offset = 0
  const parts: Uint8Array[] = []
  const entries = Object.entries(tensors).map(([name, { shape, data }]) => {
    const entry = { name, shape, offset }
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    offset += data.byteLength
    return entry
  })
  writeFileSync(path, Buffer.concat(parts))
  return entries
}

export function readTensors(path: string, entries: readonly Entry[]): Tensors {
  // A copy of its own, since a small Buffer may begin anywhere in a shared one.
  const bytes = new Uint8Array(readFileSync(path)).buffer
  const tensors: Tensors = {}
  for (const { name, shape, offset } of entries) {
    const length = shape.reduce((product, n) => product * n, 1)
    const type = name === 'tokens' || name === 'targets' ? Int32Array : Float32Array
    tensors[name] = { shape, data: new type(bytes, offset, length) }
  }
  return tensors
}

/** [A, B, ...] to [B, A, ...]: batch-first to time-first and back. */
export function swapAxes<T extends Values>({
  shape,
  data,
}: {
  shape: readonly number[]
  data: T
}): { shape: number[]; data: T } {
  const [A, B, ...rest] = shape
  const size = rest.reduce((product, n) => product * n, 1)
  const swapped = data.slice() as T
  for (let a = 0; a < A; a++) {
    for (let b = 0; b < B; b++)
      swapped.set(data.subarray((a * B + b) * size, (a * B + b + 1) * size), (b * A + a) * size)
  }
  return { shape: [B, A, ...rest], data: swapped }
}

/** The input of a model of series as sequences of numbers, each ending with its last target: T + 1 numbers. */
export function seriesOf({ x, target }: Tensors): number[][] {
  const [B, T] = x.shape
  return Array.from({ length: B }, (_, b) => {
    const sequence = [...x.data.subarray(b * T, (b + 1) * T)]
    return [...sequence, target.data[(b + 1) * T - 1]]
  })
}
