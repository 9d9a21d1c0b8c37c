/** The part of the contract that is about plans: a frozen model as steps, compiled and run whole. */
import type { FloatArray, LstmParameters, LstmVariant, Unary } from './contract.ts'
import type { Padding, Pool, WindowOptions } from './windows.ts'

/**
 * A model frozen for inference: steps that follow each other, each [B, T, features] to [B, T, features], with the mask of
 * the run, of an embedding with `maskZero` or of a masking beside them, which LSTMs, attention, `lastStep` and averages heed.
 * `compilePlan` copies the parameters into the back end's own layout, which `runPlan` of the same back end and target reads.
 */
export type PlanStep =
  | PlanLstm
  | { kind: 'linear'; I: number; O: number; weight: FloatArray; bias?: FloatArray }
  /** First step only: x is then an Int32Array of indices in [0, V), [B, T]. */
  | { kind: 'embedding'; V: number; E: number; weight: FloatArray; maskZero: boolean }
  | { kind: 'layerNorm'; F: number; gain?: FloatArray; shift?: FloatArray; eps: number }
  /** y = x∘scale + shift for each channel; of an image at every place. */
  | { kind: 'affine'; scale: FloatArray; shift: FloatArray }
  | PlanConv1d
  | PlanConv2d
  | PlanAttention
  /** As `Pool1dForward`, of windows as `windowsOver` lays them. */
  | { kind: 'pool1d'; function: Pool; size: number; stride: number; padding: Padding; countPadding: boolean }
  /** The same along rows and along columns, one after the other. */
  | (PlanImage & {
      kind: 'pool2d'
      function: Pool
      size: number
      stride: number
      padding: Padding
      columns: Omit<WindowOptions, 'dilation'>
      countPadding: boolean
    })
  | { kind: 'softmax'; log: boolean }
  | { kind: 'unary'; function: Unary; alpha?: number; beta?: number }
  /** To the last step of each sequence that counts, zeros where none does; what follows has T = 1. */
  | { kind: 'lastStep' }
  /** As `Pool1dForward` over all valid steps; what follows has T = 1. */
  | { kind: 'globalPool1d'; function: Pool }
  /** As `Pool1dForward` over all places of an image, of its valid rows where these are steps. */
  | (PlanImage & { kind: 'globalPool2d'; function: Pool })
  /** From here on an image's rows, or columns, are features like others: changes nothing and is left out. */
  | { kind: 'flattenEach' }
  /** All steps side by side as the features of one: T is then what the step after it asks for. */
  | { kind: 'flatten' }
  /** Turns the valid steps of each sequence round, and their mask unless it is kept. */
  | { kind: 'reverse'; keepMask: boolean }
  /** Steps whose features all equal `value` become 0 and do not count from here on; the mask from before is replaced. */
  | { kind: 'masking'; value: number }

/** What becomes of the outputs of two directions: side by side, or one as wide as each. */
export type DirectionMerge = 'concat' | 'sum' | 'mul' | 'average'

/** An LSTM layer of one or two directions. The options are those of `LstmForward`. */
export interface PlanLstm {
  kind: 'lstm'
  I: number
  H: number
  P: number
  layerNorm: boolean
  directions: readonly { reverse: boolean; variant?: LstmVariant; parameters: LstmParameters }[]
  merge: DirectionMerge
  /** False: the output is the final h of each direction, merged, and what follows has T = 1. */
  returnSequences: boolean
  /** Whether the output of a masked step is zero or repeats that of the step read before it. */
  zeroMasked: boolean
  zoneoutCell: number
  zoneoutHidden: number
  eps: number
}

/**
 * The steps of a sequence ask each other: `AttentionForward` with q, k and v made of x, or x itself where a projection is absent,
 * over the keys that count.
 */
export interface PlanAttention {
  kind: 'attention'
  I: number
  /** Heads, each with D numbers of a query and a key, and E of a value. */
  N: number
  D: number
  E: number
  scale: number
  causal: boolean
  /** Of q and k [N·D, I], of v [N·E, I]. */
  query?: FloatArray
  key?: FloatArray
  value?: FloatArray
  /** Of the projections that there are, one behind the other in the order of q, k, v. */
  bias?: FloatArray
  /** [N·D] */
  vector?: FloatArray
}

/** As `Conv1dForward`, of windows as `windowsOver` lays them; lengths become those of the result. */
export interface PlanConv1d extends WindowOptions {
  kind: 'conv1d'
  I: number
  O: number
  groups: number
  weight: FloatArray
  bias?: FloatArray
}

/**
 * A step on images. Their rows are the time steps, each [width, channels] features; or, of `frames`, every time step is an
 * image [height, width, channels]. Sizes that a layer does not tell follow from the step before.
 */
export interface PlanImage {
  frames: boolean
  height?: number
  width?: number
}

/** As `Conv2dForward`, of windows as `windowsOver` lays them, its own along the rows; lengths become those of the result. */
export interface PlanConv2d extends PlanImage, WindowOptions {
  kind: 'conv2d'
  I: number
  O: number
  groups: number
  columns: WindowOptions
  weight: FloatArray
  bias?: FloatArray
}

/**
 * Opaque but for the width of a sequence's state. Plain data that can be cloned, whose weights lie in shared memory: another
 * thread may run the clone, on a back end of the same layout.
 */
export interface CompiledPlan {
  /** Floats of a sequence's state: for each LSTM step in order h of each direction, then c of each. */
  stateWidth: number
}

/**
 * x      [B, T, features] or [B, T] indices;  y [B, S, outputs], or [B, outputs] where one step is left
 * states [B, stateWidth]; the initial one default zeros, the final one written where given; they may be one array
 */
export interface RunPlan {
  plan: CompiledPlan
  B: number
  T: number
  x: FloatArray | Int32Array
  y: FloatArray
  lengths?: Int32Array
  /** [B, T], 0 where a step does not count */
  mask?: Uint8Array
  /**
   * [B + 1], ascending from 0: sequences of several lengths one behind the other. Sequence b is rows offsets[b] to
   * offsets[b + 1] of x [offsets[B], features], and of y likewise; T is then the most steps that one has. Takes the place of
   * `lengths` and `mask`, for plans of which `runsRagged` is true.
   */
  offsets?: Int32Array
  initialState?: FloatArray
  finalState?: FloatArray
  /** Where the states stand and are left, instead of both. */
  slots?: StateSlots
}

/**
 * Rows of states among others in slabs of `rows` rows each: sequence b has row slots[b] mod rows of slab ⌊slots[b] / rows⌋,
 * which is read before the run and written after it. No two sequences of a run have the same.
 */
export interface StateSlots {
  slabs: readonly FloatArray[]
  rows: number
  /** [B] */
  slots: Int32Array
}

/** A run of a plan on a thread of the back end's own. The arrays belong to it until `done`. */
export interface RunPlanAsync extends RunPlan {
  /** How many threads the run may share; default: as many as are free when it begins. */
  threads?: number
  /** Called on the event loop, once, unless the run is withdrawn before it begins. */
  done: PlanDone
}

export type PlanDone = (error: Error | undefined, computeMicroseconds: number) => void
