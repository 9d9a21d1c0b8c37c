/** The options of LSTM beside those of its cell. */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { DirectionMerge } from '../kernels/contract.ts'
import { requireBoolean } from './initialisation.ts'
import {
  type CompleteCellOptions,
  cellOptionNames,
  completeCellOptions,
  type LSTMCellOptions,
} from './lstm-parameters.ts'

export interface LSTMOptions extends LSTMCellOptions {
  /** L: each layer reads the output of the one before; default 1. */
  numLayers?: number
  /** A second direction that reads each sequence from its last valid step; default false. */
  bidirectional?: boolean
  /** The only direction reads each sequence from its last valid step; the output keeps the order of x. Default false. */
  reverse?: boolean
  /** What becomes of the outputs of two directions: side by side by default, or one R wide. Needs `bidirectional`. */
  merge?: DirectionMerge
  /** Whether the output has every step, or the last layer's final h alone; default true. */
  returnSequences?: boolean
  /**
   * Whether the output of a masked step is zero, as within Keras' Bidirectional, or repeats that of the step read before
   * it, as in Keras' LSTM; default false.
   */
  zeroMasked?: boolean
  /** Dropped, while training, from the output of every layer but the last; in [0, 1), default 0. */
  dropout?: number
  /** Whether `dropout` takes the same features at every step of a sequence (Gal & Ghahramani 2016); default false. */
  dropoutAcrossTime?: boolean
  /**
   * Weights of every W_hh dropped while training (DropConnect: Merity, Keskar & Socher 2018): one mask for all steps and sequences
   * of a call of `forward`, what is kept scaled up; in [0, 1), default 0.
   */
  weightDrop?: number
  /**
   * Dropped, while training, from h[t-1] inside the gates (Gal & Ghahramani 2016): one mask for all the steps of a
   * sequence that a call of `forward` reads; in [0, 1), default 0.
   */
  recurrentDropout?: number
}

export type CompleteOptions = CompleteCellOptions & Required<Omit<LSTMOptions, keyof LSTMCellOptions>>

const own = {
  numLayers: 1,
  bidirectional: false,
  reverse: false,
  merge: 'concat',
  returnSequences: true,
  zeroMasked: false,
  dropout: 0,
  dropoutAcrossTime: false,
  weightDrop: 0,
  recurrentDropout: 0,
} as const satisfies Partial<LSTMOptions>

const booleans = ['bidirectional', 'reverse', 'returnSequences', 'zeroMasked', 'dropoutAcrossTime'] as const

const merges: readonly DirectionMerge[] = ['concat', 'sum', 'mul', 'average']

/** Fills in the defaults and checks. @throws {TypeError | RangeError} if an option is unknown or out of range */
export function completeOptions(options: LSTMOptions): CompleteOptions {
  refuseUnknownOptions('LSTM', options, [...cellOptionNames, ...Object.keys(own)])
  const present = Object.entries(options).filter(([, value]) => value !== undefined)
  const all: CompleteOptions = {
    ...own,
    ...Object.fromEntries(present),
    ...completeCellOptions('LSTM', options),
  }
  requireInteger('LSTM', 'numLayers', all.numLayers)
  for (const name of booleans) requireBoolean('LSTM', name, all[name])
  for (const name of ['dropout', 'weightDrop', 'recurrentDropout'] as const) {
    requireNumber('LSTM', name, all[name], { low: 0, high: 1, open: true })
  }
  if (!merges.includes(all.merge)) {
    throw new TypeError(`LSTM: expected merge to be one of ${merges.join(', ')}, got ${describe(all.merge)}`)
  }
  if (all.bidirectional && all.reverse) {
    throw new TypeError('LSTM: reverse is for one direction; with bidirectional: true leave it out')
  }
  if (!all.bidirectional && all.merge !== 'concat') {
    throw new TypeError(`LSTM: merge: '${all.merge}' needs bidirectional: true`)
  }
  return all
}
