/** What is measured, as data. The letters are those of the package: B batch, T steps, I inputs, H hidden units. */

export type Mode = 'inference' | 'training' | 'step'

export interface Case {
  /** The shape in words; unique together with the mode. */
  name: string
  /**
   * `inference`: the LSTM forward, from given initial states, nothing kept for a backward pass.
   * `training`: forward, then backward from a given gradient of the output to x and to every parameter.
   * `step`: a whole training step of a small model around the LSTM, optimizer included.
   */
  mode: Mode
  B: number
  T: number
  I: number
  H: number
  layers: number
  directions: 1 | 2
  /** Valid steps of each sequence, spread evenly from `shortest` to T and shuffled; the rest is padding. Default: T. */
  lengths?: { shortest: number }
  /** What a `step` trains. */
  model?: Model
  /** Who runs, ours first. A peer that cannot is named in the report. */
  contenders: readonly string[]
}

export interface Model {
  /** `tokens`: embedding of I values before the LSTM, cross-entropy over the vocabulary after the last linear layer.
   * `series`: x as it is, mean squared error. */
  kind: 'tokens' | 'series'
  /** Outputs of the last linear layer; for tokens the size of the vocabulary. */
  outputs: number
  /** The norm that gradients are clipped to before Adam. Default: no clipping. */
  clipNorm?: number
}

const peers = ['onnxruntime-node', 'pytorch']

function inference(B: number, T: number, I: number, H: number, rest: Partial<Case> = {}): Case {
  return { ...shape(B, T, I, H, rest), mode: 'inference', contenders: ['native', ...peers], ...rest }
}

function training(B: number, T: number, I: number, H: number, rest: Partial<Case> = {}): Case {
  return { ...shape(B, T, I, H, rest), mode: 'training', contenders: ['native', 'pytorch'], ...rest }
}

function shape(
  B: number,
  T: number,
  I: number,
  H: number,
  { layers = 1, directions = 1, lengths }: Partial<Case>,
) {
  let name = `B${B} T${T} I${I} H${H}`
  if (layers > 1) name += ` L${layers}`
  if (directions > 1) name += ' bidirectional'
  if (lengths) name += ` lengths ${lengths.shortest}..${T}`
  return { name, B, T, I, H, layers, directions }
}

const deep: Partial<Case> = { layers: 2, directions: 2, lengths: { shortest: 10 } }

export const cases: readonly Case[] = [
  inference(1, 1, 32, 32),
  inference(1, 1, 256, 256),
  inference(1, 50, 128, 128),
  inference(1, 25, 512, 512),
  inference(1, 25, 1024, 1024),
  inference(4, 25, 512, 512),
  inference(16, 50, 256, 256),
  inference(32, 100, 64, 64, { contenders: ['native', ...peers, 'tfjs-wasm'] }),
  inference(64, 30, 1, 32),
  inference(64, 50, 512, 512, { contenders: ['native', ...peers, 'avx2'] }),
  inference(64, 25, 1024, 1024),
  inference(128, 25, 1024, 1024),
  inference(32, 100, 64, 128, deep),
  training(16, 50, 256, 256),
  training(32, 100, 64, 64, { contenders: ['native', 'pytorch', 'tfjs-wasm'] }),
  training(64, 30, 1, 32),
  training(64, 50, 512, 512),
  training(64, 25, 1024, 1024),
  training(32, 100, 64, 128, deep),
  // Small enough for plain JavaScript loops, large enough that the weights leave the first cache.
  inference(8, 10, 256, 256, { contenders: ['native', 'reference'] }),
  training(8, 10, 256, 256, { contenders: ['native', 'reference'] }),
  // What Node offers besides: an epoch of brain.js over 64 sequences of 31 steps.
  {
    ...shape(64, 31, 1, 32, {}),
    name: 'series model',
    mode: 'step',
    model: { kind: 'series', outputs: 1 },
    contenders: ['native', 'brainjs', 'pytorch'],
  },
  {
    ...shape(32, 128, 256, 256, { layers: 2 }),
    name: 'character model',
    mode: 'step',
    model: { kind: 'tokens', outputs: 65, clipNorm: 1 },
    contenders: ['native', 'pytorch'],
  },
]

/** The cases whose name and mode together hold every word of `pattern`, or all cases without one. */
export function casesMatching(pattern: string | undefined): Case[] {
  const words = pattern?.toLowerCase().split(/\s+/).filter(Boolean) ?? []
  return cases.filter((one) => {
    const own = identity(one).toLowerCase().split(' ')
    return words.every((word) => own.includes(word))
  })
}

export function identity({ name, mode }: { name: string; mode: Mode }): string {
  return `${name} ${mode}`
}
