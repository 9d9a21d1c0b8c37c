/** What a contender in a Node process offers to worker.ts, and the list of all contenders. */
import type { Problem, Tensors } from '../problem.ts'

export interface Contender {
  /** Name and version, with what decides its speed: instruction set, threads. */
  describe(): string
  /** Loads weights and inputs and returns what is timed. @throws {Error} if it cannot do the case */
  prepare(problem: Problem): Promise<Prepared>
}

export interface Prepared {
  /** One repetition, done when this returns or its promise resolves. What is worth doing once `prepare` did. */
  run(): unknown
  /**
   * The results of the last repetition, for the comparison: `output` [B, T, D·H], `h`, `c` [L·D, B, H]; in training
   * `output` and the gradients `dx` and `d<parameter>`; for a step of a model `losses`, of the first repetitions.
   */
  results(): Tensors
}

/** What a contender runs in: a module of this folder, with the arguments of its `create`, or a Python script. */
export interface Entry {
  module: string
  /** Handed to the module's `create`. */
  argument?: string
  /** Computes something else than the others (its own initialisation, say): timed, not compared. */
  incomparable?: boolean
}

export const contenders: Readonly<Record<string, Entry>> = {
  native: { module: 'native.ts', argument: 'native' },
  avx512: { module: 'native.ts', argument: 'avx512' },
  avx2: { module: 'native.ts', argument: 'avx2' },
  neon: { module: 'native.ts', argument: 'neon' },
  scalar: { module: 'native.ts', argument: 'scalar' },
  reference: { module: 'native.ts', argument: 'reference' },
  'onnxruntime-node': { module: 'onnxruntime.ts' },
  pytorch: { module: 'pytorch.py' },
  'tfjs-wasm': { module: 'tfjs.ts' },
  brainjs: { module: 'brainjs.ts', incomparable: true },
}
