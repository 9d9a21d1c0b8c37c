/** How many features go into and come out of each step of a plan: most steps say, the others keep what they get. */
import type { PlanLstm, PlanStep } from './contract.ts'

export interface Sized<S extends PlanStep = PlanStep> {
  step: S
  /** Features in; 1, an index, for an embedding. */
  input: number
  output: number
  /** Where the step's part of a state row begins. */
  state: number
}

/** @throws {RangeError} if a step does not fit the one before it, or the first has no size of its own */
export function sizeSteps(steps: readonly PlanStep[]): { sized: readonly Sized[]; stateWidth: number } {
  let width: number | undefined
  let stateWidth = 0
  const sized = steps.map((step, i) => {
    const own = ownSize(step)
    if (width === undefined && !own) {
      throw new RangeError(`compile: expected the first layer to have an input size, got ${step.kind}`)
    }
    if (step.kind === 'embedding' && i > 0)
      throw new RangeError('compile: an Embedding must be the first layer')
    const input = own?.input ?? width!
    if (width !== undefined && input !== width) {
      throw new RangeError(
        `compile: step ${i} (${step.kind}) expects ${input} features, the one before gives ${width}`,
      )
    }
    width = own?.output ?? input
    const state = stateWidth
    if (step.kind === 'lstm') stateWidth += step.directions.length * ((step.P || step.H) + step.H)
    return { step, input, output: width, state }
  })
  if (sized.length === 0)
    throw new RangeError('compile: expected a model of at least one layer that computes')
  return { sized, stateWidth }
}

/** How many directions stand side by side in an LSTM step's output. */
export function outputDirections({ merge, directions }: PlanLstm): number {
  return merge === 'concat' ? directions.length : 1
}

/** Whether what follows the step has T = 1. */
export function endsSequence(step: PlanStep): boolean {
  return step.kind === 'lastStep' || (step.kind === 'lstm' && !step.returnSequences)
}

function ownSize(step: PlanStep): { input: number; output: number } | undefined {
  switch (step.kind) {
    case 'lstm':
      return { input: step.I, output: outputDirections(step) * (step.P || step.H) }
    case 'linear':
      return { input: step.I, output: step.O }
    case 'embedding':
      return { input: 1, output: step.E }
    case 'layerNorm':
      return { input: step.F, output: step.F }
    default:
      return undefined
  }
}
