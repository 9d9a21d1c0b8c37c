/**
 * How many features go into and come out of each step of a plan, and over how many time steps: most plan steps say their
 * features, the others keep what they get.
 */
import type { PlanLstm, PlanStep } from './contract.ts'
import { windowsFilled, windowsOver } from './windows.ts'

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
    if (width === undefined && !ownSize(step)) width = nextInput(steps, i)
    const own = step.kind === 'flatten' && width !== undefined ? flattened(steps, i, width) : ownSize(step)
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

/**
 * The time steps that a step makes of T.
 *
 * @throws {RangeError} if it cannot: no window fits, or a flatten makes other features than the next step asks for
 */
export function stepsAfter({ step, input, output }: Sized, T: number): number {
  switch (step.kind) {
    case 'conv1d':
    case 'pool1d': {
      const { S } = windowsOver(T, { dilation: 1, ...step })
      if (S > 0 || T === 0) return S
      throw new RangeError(`predict: no window of ${step.size} steps fits into ${T}`)
    }
    case 'flatten':
      if (T * input === output) return 1
      throw new RangeError(
        `predict: the layer after Flatten expects ${output} features: ${output / input} steps of ${input}, got ${T} steps`,
      )
    default:
      return endsInOneStep(step) ? 1 : T
  }
}

/** Whether the step leaves one step of each sequence, and so none whose lengths could differ. */
export function endsInOneStep(step: PlanStep): boolean {
  if (step.kind === 'lstm') return !step.returnSequences
  return step.kind === 'lastStep' || step.kind === 'globalPool1d' || step.kind === 'flatten'
}

/** Whether the step's output may have other steps than its input. */
export function changesSteps(step: PlanStep): boolean {
  return endsInOneStep(step) || step.kind === 'conv1d' || step.kind === 'pool1d'
}

/** Whether the step takes sequences of several lengths one behind the other: `offsets` of a run. */
export function runsRagged(step: PlanStep): boolean {
  if (step.kind === 'embedding') return !step.maskZero
  return !['conv1d', 'pool1d', 'globalPool1d', 'flatten', 'reverse', 'masking'].includes(step.kind)
}

/** Whether the step's output depends on nothing later, and on what went before by the state alone: a sequence may then come in parts. */
export function runsInParts(step: PlanStep): boolean {
  if (step.kind === 'lstm') return step.directions.length === 1 && !step.directions[0].reverse
  return ['linear', 'embedding', 'layerNorm', 'softmax', 'unary', 'masking', 'lastStep'].includes(step.kind)
}

/** The lengths that belong to a step's output. */
export function lengthsAfter(step: PlanStep, lengths: Int32Array | undefined): Int32Array | undefined {
  if (!lengths || endsInOneStep(step)) return undefined
  if (step.kind !== 'conv1d' && step.kind !== 'pool1d') return lengths
  return windowsFilled(lengths, { dilation: 1, ...step })
}

/** A flatten has all features of a sequence, whose T is not known yet: as many as the next step with a size asks for. */
function flattened(steps: readonly PlanStep[], i: number, input: number): { input: number; output: number } {
  const output = nextInput(steps, i + 1)
  if (output === undefined) throw new RangeError('compile: expected a layer with an input size after Flatten')
  if (output % input === 0) return { input, output }
  throw new RangeError(
    `compile: expected the layer after Flatten to have a multiple of ${input} features, got ${output}`,
  )
}

/** The features that steps from `i` on hand on until one says how many it takes. */
function nextInput(steps: readonly PlanStep[], i: number): number | undefined {
  for (const step of steps.slice(i)) {
    const own = ownSize(step)
    if (own || step.kind === 'flatten') return own?.input
  }
  return undefined
}

function ownSize(step: PlanStep): { input: number; output: number } | undefined {
  switch (step.kind) {
    case 'lstm':
      return { input: step.I, output: outputDirections(step) * (step.P || step.H) }
    case 'linear':
    case 'conv1d':
      return { input: step.I, output: step.O }
    case 'embedding':
      return { input: 1, output: step.E }
    case 'layerNorm':
      return { input: step.F, output: step.F }
    default:
      return undefined
  }
}
