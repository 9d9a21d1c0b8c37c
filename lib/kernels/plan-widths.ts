/**
 * How many features go into and come out of each step of a plan, and over how many time steps: most plan steps say their
 * features, the others keep what they get.
 */
import type { PlanLstm, PlanStep } from './contract.ts'
import { type Image, imageAfter, imageFeatures, isOnImages, isWindowed, withSize } from './plan-images.ts'
import { windowsFilled, windowsOver } from './windows.ts'

export interface Sized<S extends PlanStep = Exclude<PlanStep, { kind: 'flattenEach' }>> {
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
  let image: Image | undefined
  let stateWidth = 0
  const sized: Sized[] = []
  for (const [i, each] of steps.entries()) {
    if (each.kind === 'flattenEach') {
      image = undefined
      continue
    }
    const step = isOnImages(each) ? withSize(each, image) : each
    if (width === undefined && !ownSize(step)) width = nextInput(steps, i)
    const own =
      step.kind === 'flatten' && width !== undefined
        ? flattened(steps, i, width)
        : ownSize(step, image?.channels)
    image = imageAfter(step, image)
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
    if (step.kind === 'affine') requireChannels(step.scale.length, { i, input, image })
    width = own?.output ?? input
    const state = stateWidth
    if (step.kind === 'lstm') stateWidth += step.directions.length * ((step.P || step.H) + step.H)
    sized.push({ step, input, output: width, state })
  }
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
  if (isWindowed(step)) {
    const { S } = windowsOver(T, { dilation: 1, ...step })
    if (S > 0 || T === 0) return S
    throw new RangeError(`predict: no window of ${step.size} steps fits into ${T}`)
  }
  if (step.kind === 'flatten' && T * input !== output) {
    throw new RangeError(
      `predict: the layer after Flatten expects ${output} features: ${output / input} steps of ${input}, got ${T} steps`,
    )
  }
  return endsInOneStep(step) ? 1 : T
}

/** Whether the step leaves one step of each sequence, and so none whose lengths could differ. */
export function endsInOneStep(step: PlanStep): boolean {
  if (step.kind === 'lstm') return !step.returnSequences
  if (step.kind === 'globalPool2d') return !step.frames
  return step.kind === 'lastStep' || step.kind === 'globalPool1d' || step.kind === 'flatten'
}

/** Whether the step's output may have other steps than its input. */
export function changesSteps(step: PlanStep): boolean {
  return endsInOneStep(step) || isWindowed(step)
}

/** Whether the step takes sequences of several lengths one behind the other: `offsets` of a run. */
export function runsRagged(step: PlanStep): boolean {
  if (step.kind === 'embedding') return !step.maskZero
  if (isOnImages(step)) return step.frames
  return !['conv1d', 'pool1d', 'globalPool1d', 'flatten', 'reverse', 'masking'].includes(step.kind)
}

/** Whether the step's output depends on nothing later, and on what went before by the state alone: a sequence may then come in parts. */
export function runsInParts(step: PlanStep): boolean {
  if (step.kind === 'lstm') return step.directions.length === 1 && !step.directions[0].reverse
  if (isOnImages(step)) return step.frames
  return [
    'linear',
    'embedding',
    'layerNorm',
    'affine',
    'flattenEach',
    'softmax',
    'unary',
    'masking',
    'lastStep',
  ].includes(step.kind)
}

/** The lengths that belong to a step's output. */
export function lengthsAfter(step: PlanStep, lengths: Int32Array | undefined): Int32Array | undefined {
  if (!lengths || endsInOneStep(step)) return undefined
  if (!isWindowed(step)) return lengths
  return windowsFilled(lengths, { dilation: 1, ...step })
}

/** @throws {RangeError} unless so many channels are those of an image before, or all features, or may be an image's to come */
function requireChannels(
  channels: number,
  { i, input, image }: { i: number; input: number; image: Image | undefined },
): void {
  if (image ? image.channels === channels : input === channels || (i === 0 && input % channels === 0)) return
  const given = image ? `${image.channels} channels` : `${input} features`
  throw new RangeError(
    `compile: step ${i} (affine) expects ${channels} channels, the one before gives ${given}`,
  )
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

/** The features that steps from `i` on hand on until one says how many it takes; a lone affine step those of its channels. */
function nextInput(steps: readonly PlanStep[], i: number): number | undefined {
  let affine: number | undefined
  for (const step of steps.slice(i)) {
    const own = ownSize(step)
    if (own || step.kind === 'flatten') return own?.input
    if (isOnImages(step)) return undefined
    if (step.kind === 'affine') affine ??= step.scale.length
  }
  return affine
}

/** @param channels of the image that comes in, if one does */
function ownSize(step: PlanStep, channels?: number): { input: number; output: number } | undefined {
  if (isOnImages(step)) return imageFeatures(step, channels)
  switch (step.kind) {
    case 'lstm':
      return { input: step.I, output: outputDirections(step) * (step.P || step.H) }
    case 'linear':
    case 'conv1d':
      return { input: step.I, output: step.O }
    case 'embedding':
      return { input: 1, output: step.E }
    case 'attention':
      return { input: step.I, output: step.N * step.E }
    case 'layerNorm':
      return { input: step.F, output: step.F }
    default:
      return undefined
  }
}
