/** What a plan's steps allow: streams, sequences in parts, sequences of several lengths in a batch. */
import type { CompiledPlan, FloatArray, Kernels, PlanStep } from '../kernels/contract.ts'
import { isWindowed } from '../kernels/plan-images.ts'
import { endsInOneStep, runsInParts, runsRagged } from '../kernels/plan-widths.ts'
import type { TensorArray } from '../tensor.ts'

/**
 * How sequences of several lengths share a run: one behind the other, side by side with `lengths`, or not at all, where what
 * a step makes of a sequence depends on the time steps there are.
 */
export type Sharing = 'ragged' | 'padded' | 'equal'

export interface Traits {
  sharing: Sharing
  /** The layer that needs more than one step and the state at a time; undefined where the plan has streams. */
  obstacle?: string
  /** Whether the last step that computes something is a softmax, not of logarithms. */
  givesProbabilities: boolean
}

/** What streams and batches run a plan with. */
export interface PlanParts extends Traits {
  kernels: Kernels
  compiled: CompiledPlan
  /** Features of a time step of x, or 1 where it is an index, which is below `vocabulary`. */
  inputWidth: number
  vocabulary: number
  outputSize: number
  stateSize: number
  endsInOneStep: boolean
  /** [outputSize], one for all results. */
  stepShape: readonly number[]
  /** Arrays of the types of y and of x. */
  like: FloatArray
  inputLike: TensorArray
  /** The time steps made of T. @throws {RangeError} where there can be none */
  stepsAfter(T: number): number
}

/** What a sequence of T time steps results in: [S, outputSize], or [outputSize]. */
export function resultShape({ endsInOneStep, outputSize, stepsAfter }: PlanParts, T: number): number[] {
  return endsInOneStep ? [outputSize] : [stepsAfter(T), outputSize]
}

export function traitsOf(steps: readonly PlanStep[]): Traits {
  const last = steps.findLast(({ kind }) => !movesOnly.includes(kind))
  const givesProbabilities = last?.kind === 'softmax' && !last.log
  return { sharing: sharingOf(steps), obstacle: obstacleIn(steps), givesProbabilities }
}

/** Steps that choose or move time steps and compute nothing. */
const movesOnly: readonly PlanStep['kind'][] = ['lastStep', 'flatten', 'flattenEach', 'reverse', 'masking']

function sharingOf(steps: readonly PlanStep[]): Sharing {
  if (steps.every(runsRagged)) return 'ragged'
  return steps.some((step) => isWindowed(step) || step.kind === 'flatten') ? 'equal' : 'padded'
}

function obstacleIn(steps: readonly PlanStep[]): string | undefined {
  const odd = steps.find((step) => !runsInParts(step))
  if (odd) return nameOf(odd)
  const end = steps.findIndex(endsInOneStep)
  const isBehind = end >= 0 && steps.slice(end + 1).some(({ kind }) => kind === 'lstm')
  return isBehind ? 'an LSTM behind the last step of another' : undefined
}

function nameOf(step: PlanStep): string {
  if (step.kind === 'attention') return step.causal ? 'causal attention' : 'attention'
  if (step.kind !== 'lstm') return step.kind
  return step.directions.length === 2 ? 'a bidirectional LSTM' : 'an LSTM that reads backwards'
}
