/** What a reader under test is, and what their samples and changes share. */
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BatchNorm } from '../../lib/layers/batch-norm.ts'
import { Conv2d } from '../../lib/layers/convolution2d.ts'
import { Embedding } from '../../lib/layers/embedding.ts'
import { LastStep } from '../../lib/layers/last-step.ts'
import type { Layer } from '../../lib/layers/layer.ts'
import { Linear } from '../../lib/layers/linear.ts'
import { LSTM } from '../../lib/layers/lstm.ts'
import { MultiHeadAttention } from '../../lib/layers/multi-head-attention.ts'
import { AveragePool2d, GlobalMaxPool2d, MaxPool2d } from '../../lib/layers/pooling2d.ts'
import { RNN } from '../../lib/layers/rnn.ts'
import { Sequential } from '../../lib/layers/sequential.ts'
import { TimeDistributed } from '../../lib/layers/steps.ts'
import { type Files, type Mutation, mutateBytes } from './mutation.ts'

export interface Reader {
  readonly name: string
  /** Of a thousand inputs, as many as its speed allows. */
  readonly share: number
  readonly samples: readonly Files[]
  mutate(files: Files, mutations: readonly Mutation[], donor: Files): Files
  /**
   * Throws what the reader throws, or an Error if what it gives is wrong. May return a check for afterwards, which counts as
   * neither time nor memory of reading: a graph that runs makes what it says.
   */
  read(files: Files): unknown
}

const fixtures = fileURLToPath(new URL('../../test/fixtures/', import.meta.url))

/** Files of the fixtures, the one that is read first. */
export function sample(...paths: readonly string[]): Files {
  return new Map(paths.map((path) => [basename(path), new Uint8Array(readFileSync(join(fixtures, path)))]))
}

/** The first file changed, or now and then one of those beside it, which may also be missing. */
export function onFirst(
  change: (bytes: Uint8Array, mutations: readonly Mutation[]) => Uint8Array,
): (files: Files, mutations: readonly Mutation[]) => Files {
  return (files, mutations) => {
    const [[name, bytes], ...others] = files
    const { kind, where } = mutations[0]
    if (others.length === 0 || kind % 7 !== 0) return new Map([[name, change(bytes, mutations)], ...others])
    const [victim, content] = others[where % others.length]
    const rest = others.filter(([each]) => each !== victim)
    const inner = mutations.map((mutation) => ({ ...mutation, kind: mutation.kind >> 3 }))
    if (kind % 3 === 0) return new Map([[name, bytes], ...rest])
    return new Map([[name, bytes], ...rest, [victim, inner.reduce(mutateBytes, content)]])
  }
}

/** Every change after the other. */
export const eachOf = (change: (bytes: Uint8Array, mutation: Mutation) => Uint8Array) =>
  onFirst((bytes, mutations) => mutations.reduce(change, bytes))

export function first(files: Files): Uint8Array {
  return files.values().next().value!
}

/** Models of this package. */
export function madeHere(): Layer[] {
  return [
    new Sequential([
      new Embedding({ vocabularySize: 5, embeddingSize: 3 }),
      new LSTM({ inputSize: 3, hiddenSize: 4, numLayers: 2, bidirectional: true, dropout: 0.1 }),
      new LastStep(),
      new Linear({ inputSize: 8, outputSize: 2 }),
    ]),
    new LSTM({ inputSize: 2, hiddenSize: 3, projectionSize: 2 }),
    new Sequential([...images(), new MultiHeadAttention({ embedSize: 4, heads: 2 })]),
  ]
}

/** Layers on images at every step, and on the steps. */
function images(): Layer[] {
  return [
    new TimeDistributed(
      new Sequential([
        new Conv2d({ inputChannels: 2, outputChannels: 3, kernelSize: 2, padding: 'same' }),
        new BatchNorm({ size: 3 }),
        new MaxPool2d({ size: 2 }),
        new AveragePool2d({ size: [2, 1] }),
        new GlobalMaxPool2d(),
      ]),
    ),
    new RNN({ inputSize: 3, hiddenSize: 4 }),
  ]
}
