/** The network that reads an image row by row, and the batches it learns from. */
import {
  activation,
  type Batch,
  BatchNorm,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  LSTM,
  MaxPool2d,
  type Random,
  Sequential,
  TimeDistributed,
  tensor,
} from 'lstm-native'
import type { Digits } from './idx.ts'

/**
 * Convolutions see a few rows and columns around each place; pools halve the rows once and the columns twice; what is left of
 * a row is a step of the bidirectional LSTM, whose last states tell the digit.
 */
export function network({ columns }: { columns: number }, seed: number): Sequential {
  const width = Math.floor(Math.floor(columns / 2) / 2)
  return new Sequential([
    new Conv2d({
      inputChannels: 1,
      outputChannels: 12,
      kernelSize: 3,
      padding: 'same',
      inputWidth: columns,
      seed,
    }),
    new BatchNorm({ size: 12 }),
    activation('relu'),
    new MaxPool2d({ size: 2 }),
    new Conv2d({ inputChannels: 12, outputChannels: 24, kernelSize: 3, padding: 'same', seed: seed + 1 }),
    new BatchNorm({ size: 24 }),
    activation('relu'),
    new MaxPool2d({ size: [1, 2] }),
    new TimeDistributed(new Flatten()),
    new LSTM({
      inputSize: 24 * width,
      hiddenSize: 64,
      bidirectional: true,
      returnSequences: false,
      seed: seed + 2,
    }),
    new Dropout({ probability: 0.3 }),
    new Linear({ inputSize: 128, outputSize: 10, seed: seed + 3 }),
  ])
}

/** Images from `first` on, as they are. */
export function digitsBatch(digits: Digits, first: number, count: number): Batch {
  return batchOf(
    digits,
    Array.from({ length: count }, (_, n) => first + n),
  )
}

/** The first `count` images in random order, each moved by up to two pixels along either axis. */
export function* shiftedBatches(
  digits: Digits,
  count: number,
  { batchSize, random }: { batchSize: number; random: Random },
): Generator<Batch> {
  const order = Uint32Array.from({ length: count }, (_, n) => n)
  random.shuffle(order)
  for (let start = 0; start < count; start += batchSize)
    yield batchOf(digits, order.subarray(start, start + batchSize), () => random.integer(5) - 2)
}

/** Batch of x [B, rows, columns, 1] and digits y [B]; pixels that a move brings in are 0. */
function batchOf(
  { rows, columns, pixels, labels }: Digits,
  images: ArrayLike<number>,
  move: () => number = () => 0,
): Batch {
  const size = rows * columns
  const x = new Float32Array(images.length * size)
  for (let b = 0; b < images.length; b++) {
    const [down, right] = [move(), move()]
    for (let row = Math.max(0, down); row < Math.min(rows, rows + down); row++) {
      const from = images[b] * size + (row - down) * columns
      const line = pixels.subarray(from + Math.max(0, -right), from + columns - Math.max(0, right))
      x.set(line, b * size + row * columns + Math.max(0, right))
    }
  }
  const y = Int32Array.from(images, (image) => labels[image])
  return { x: tensor(x, { shape: [images.length, rows, columns, 1] }), y: tensor(y) }
}
