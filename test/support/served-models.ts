/** Models of every kind that a plan can be, for what serves them. */
import {
  Attention,
  activation,
  Conv1d,
  Embedding,
  Flatten,
  GlobalAveragePool1d,
  GlobalMaxPool1d,
  LayerNorm,
  Linear,
  LSTM,
  lastStep,
  Masking,
  MaxPool1d,
  MultiHeadAttention,
  Random,
  Reverse,
  Sequential,
  Tensor,
} from 'lstm-native'

const lstm = (options = {}) => new LSTM({ inputSize: 3, hiddenSize: 18, seed: 1, ...options })
const head = (inputSize: number) => new Linear({ inputSize, outputSize: 4, seed: 2 })

/** Plans that have streams, whose parts give the bits of the whole. */
export const streamed: Record<string, () => Sequential> = {
  'an LSTM': () => new Sequential([lstm()]),
  'two layers and a head': () => new Sequential([lstm({ numLayers: 2 }), head(18)]),
  'a projection, peepholes and layer normalisation': () =>
    new Sequential([
      lstm({ projectionSize: 5, peepholes: true, layerNorm: true }),
      new LayerNorm({ size: 5 }),
      activation('gelu'),
      head(5),
      activation('softmax'),
    ]),
  'indices, and a wide result': () =>
    new Sequential([
      new Embedding({ vocabularySize: 11, embeddingSize: 3, seed: 3 }),
      lstm(),
      new Linear({ inputSize: 18, outputSize: 40, seed: 4 }),
    ]),
  'the last step': () => new Sequential([lstm({ numLayers: 2 }), lastStep(), head(18)]),
  'an LSTM that returns no sequences': () => new Sequential([lstm({ returnSequences: false }), head(18)]),
  'no state': () =>
    new Sequential([new Linear({ inputSize: 3, outputSize: 4, seed: 2 }), activation('tanh')]),
}

/** Plans that have streams, but whose sequences must come whole: a masked step repeats the output before it. */
export const masked: Record<string, () => Sequential> = {
  'indices with a mask': () =>
    new Sequential([
      new Embedding({ vocabularySize: 11, embeddingSize: 3, maskZero: true, seed: 3 }),
      lstm({ numLayers: 2 }),
      head(18),
    ]),
  'a masking and the last step': () => new Sequential([new Masking(), lstm(), lastStep(), head(18)]),
}

/** Plans without streams. */
export const whole: Record<string, () => Sequential> = {
  'two directions': () => new Sequential([lstm({ bidirectional: true, numLayers: 2 }), head(36)]),
  'the last step of two directions': () =>
    new Sequential([lstm({ bidirectional: true }), lastStep(), head(36)]),
  'a backward LSTM': () => new Sequential([lstm({ reverse: true }), head(18)]),
  'an LSTM behind a last step': () =>
    new Sequential([lstm(), lastStep(), new LSTM({ inputSize: 18, hiddenSize: 5, seed: 3 })]),
  'a convolution and a pool': () =>
    new Sequential([
      new Conv1d({ inputChannels: 3, outputChannels: 6, kernelSize: 3, padding: 'same', seed: 5 }),
      new MaxPool1d({ size: 2 }),
      new LSTM({ inputSize: 6, hiddenSize: 7, seed: 5 }),
    ]),
  'a causal convolution': () =>
    new Sequential([
      new Conv1d({ inputChannels: 3, outputChannels: 3, kernelSize: 2, padding: 'causal', seed: 5 }),
      lstm(),
      lastStep(),
    ]),
  'all steps at once': () =>
    new Sequential([lstm(), new Flatten(), new Linear({ inputSize: 90, outputSize: 2 })]),
  'a global average of masked steps': () =>
    new Sequential([
      new Embedding({ vocabularySize: 11, embeddingSize: 3, maskZero: true, seed: 3 }),
      lstm({ bidirectional: true }),
      new GlobalAveragePool1d(),
      head(36),
    ]),
  'a global maximum': () => new Sequential([lstm(), new GlobalMaxPool1d(), head(18)]),
  'steps turned round': () => new Sequential([new Reverse(), lstm(), head(18)]),
  attention: () =>
    new Sequential([lstm(), new MultiHeadAttention({ embedSize: 18, heads: 3, seed: 6 }), head(18)]),
  'causal attention to the last step': () =>
    new Sequential([
      lstm(),
      new MultiHeadAttention({ embedSize: 18, heads: 2, causal: true, seed: 6 }),
      lastStep(),
      head(18),
    ]),
  'additive attention to steps of which some are masked, and their average': () =>
    new Sequential([
      new Embedding({ vocabularySize: 11, embeddingSize: 3, maskZero: true, seed: 3 }),
      lstm(),
      new Attention({ score: 'additive', querySize: 18, size: 7, seed: 7 }),
      new GlobalAveragePool1d(),
      head(18),
    ]),
}

const takesIndices = (model: Sequential) => model.layers[0] instanceof Embedding

/** [T, 3] or [T]: with steps that a mask leaves out, and a result that tells any two apart. */
export function sequenceFor(model: Sequential, T: number, seed: number): Float32Array | Int32Array {
  const random = new Random(seed)
  if (takesIndices(model)) return Int32Array.from({ length: T }, () => Math.floor(random.uniform() * 11))
  const x = Float32Array.from({ length: T * 3 }, () => random.normal())
  for (let t = 0; t < T; t++) if (random.uniform() < 0.2) x.fill(0, t * 3, t * 3 + 3)
  return x
}

/** The lengths that the model takes: one with a Flatten has a single one. */
export function lengthFor(name: string, random: Random, longest: number): number {
  if (name === 'all steps at once') return 5
  return 3 + Math.floor(random.uniform() * (longest - 2))
}

/** As the only sequence of a batch. */
export function batchOfOne(x: Float32Array | Int32Array): Tensor {
  return x instanceof Int32Array ? new Tensor([1, x.length], x) : new Tensor([1, x.length / 3, 3], x)
}

export function bitsOf({ array }: Pick<Tensor, 'array'>): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength)
}
