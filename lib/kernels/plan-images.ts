/** The sizes of images in a plan: as steps say them, or as they follow from what the step before leaves. */
import type { PlanImage, PlanStep } from './contract.ts'
import { type WindowOptions, windowsOver } from './windows.ts'

/** What a step leaves, where it is an image: its columns, and its rows where they are no time steps. */
export interface Image {
  height: number | undefined
  width: number
  channels: number
}

type ImageStep = Extract<PlanStep, PlanImage>
type Windowed = Extract<PlanStep, { kind: 'conv1d' | 'pool1d' | 'conv2d' | 'pool2d' }>

export function isOnImages(step: PlanStep): step is ImageStep {
  return step.kind === 'conv2d' || step.kind === 'pool2d' || step.kind === 'globalPool2d'
}

/** Whether the step's windows run along the time axis. */
export function isWindowed(step: PlanStep): step is Windowed {
  if (step.kind === 'conv2d' || step.kind === 'pool2d') return !step.frames
  return step.kind === 'conv1d' || step.kind === 'pool1d'
}

/**
 * The step with the size of its images.
 *
 * @throws {RangeError} if neither the step nor the one before tells it, or they do not agree
 */
export function withSize(step: ImageStep, image: Image | undefined): ImageStep {
  const height = step.frames ? (step.height ?? image?.height) : undefined
  const width = step.width ?? image?.width
  if (width === undefined || (step.frames && height === undefined)) {
    const options = step.frames ? 'inputHeight and inputWidth' : 'inputWidth'
    throw new RangeError(`compile: expected the first layer on images to be a Conv2d with ${options}`)
  }
  if (image && (image.height !== height || image.width !== width)) {
    const sizes = [height ?? 'T', width, image.height ?? 'T', image.width]
    throw new RangeError(
      `compile: a ${step.kind} step expects images of ${sizes[0]} by ${sizes[1]}, the one before gives ${sizes[2]} by ${sizes[3]}`,
    )
  }
  return { ...step, height, width }
}

/** The features in and out of a step whose size is known, which keeps `channels` unless it is a convolution. */
export function imageFeatures(
  step: ImageStep,
  channels: number | undefined,
): { input: number; output: number } | undefined {
  const [I, O] = step.kind === 'conv2d' ? [step.I, step.O] : [channels, channels]
  if (I === undefined || O === undefined || step.width === undefined) return undefined
  if (step.frames && step.height === undefined) return undefined
  const { height, width } = sizeAfter(step)
  return { input: (step.frames ? step.height! : 1) * step.width * I, output: (height ?? 1) * width * O }
}

/**
 * What a step leaves of the image before it.
 *
 * @throws {TypeError} if the step would take all features of a row for the channels of a place
 */
export function imageAfter(step: PlanStep, before: Image | undefined): Image | undefined {
  if (step.kind === 'conv2d') return { ...sizeAfter(step), channels: step.O }
  if (!before) return undefined
  if (step.kind === 'pool2d') return { ...sizeAfter(step), channels: before.channels }
  if (step.kind === 'unary' || step.kind === 'affine' || step.kind === 'reverse') return before
  const isPlace = (before.height ?? 1) * before.width === 1
  if (isPlace || !['softmax', 'layerNorm', 'linear'].includes(step.kind)) return undefined
  throw new TypeError(
    `compile: a ${step.kind} step on the channels of images has no frozen form; put a Flatten, or one in ` +
      'TimeDistributed, before it, or call forward inside noGrad',
  )
}

/** @throws {RangeError} if no window fits */
function sizeAfter(step: ImageStep): { height: number | undefined; width: number } {
  if (step.kind === 'globalPool2d') return { height: undefined, width: 1 }
  return {
    height: step.frames ? windowsIn(step.height!, step) : undefined,
    width: windowsIn(step.width!, step.columns),
  }
}

function windowsIn(size: number, options: Omit<WindowOptions, 'dilation'>): number {
  const { S } = windowsOver(size, { dilation: 1, ...options })
  if (S > 0) return S
  throw new RangeError(`compile: no window of ${options.size} rows or columns fits into ${size}`)
}
