/** What a plan is made of: plain data, so that threads can send it to each other. */
import { BackendError, describe } from '../errors.ts'
import type { CompiledPlan, FloatArray, PlanStep } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { changesSteps, endsInOneStep, type Sized, sizeSteps } from '../kernels/plan-widths.ts'
import { type Traits, traitsOf } from './traits.ts'

const planKind = 'lstm-native plan 1'

/** A plan for another thread, from `plan.share()`: to be sent there as it is, and attached. */
export interface SharedPlan {
  readonly kind: typeof planKind
  /** Of the packed weights: the name of a target, or `none` for the reference. */
  readonly layout: string
}

export interface PlanContents extends SharedPlan {
  readonly isDouble: boolean
  readonly compiled: CompiledPlan
  /** Features of x, or 0 where x holds indices. */
  readonly inputSize: number
  readonly outputSize: number
  /** Indices in x are below this; 0 where x holds features. */
  readonly vocabulary: number
  readonly endsInOneStep: boolean
  readonly traits: Traits
  /** The steps that may make another T of theirs, without their weights. */
  readonly onTime: readonly Sized[]
}

/** Packs a frozen model. @param like an array of the type to compute in */
export function planContents(steps: readonly PlanStep[], like: FloatArray): PlanContents {
  const { sized } = sizeSteps(steps)
  const kernels = kernelsFor(like)
  const [first] = steps
  const vocabulary = first.kind === 'embedding' ? first.V : 0
  return {
    kind: planKind,
    layout: kernels.layout,
    isDouble: like instanceof Float64Array,
    compiled: kernels.compilePlan(steps),
    inputSize: vocabulary ? 0 : sized[0].input,
    outputSize: sized.at(-1)!.output,
    vocabulary,
    endsInOneStep: steps.some(endsInOneStep),
    traits: traitsOf(steps),
    onTime: sized.filter(({ step }) => changesSteps(step)).map(withoutWeights),
  }
}

function withoutWeights({ step, ...sizes }: Sized): Sized {
  const numbers = Object.entries(step).filter(([, value]) => typeof value !== 'object')
  return { ...sizes, step: Object.fromEntries(numbers) as unknown as Sized['step'] }
}

/** @throws {TypeError | BackendError} as `attach` */
export function requireContents(shared: SharedPlan): PlanContents {
  const contents = shared as PlanContents
  if (contents?.kind !== planKind) {
    throw new TypeError(`attach: expected what plan.share() gave, got ${describe(shared)}`)
  }
  const { layout } = kernelsFor(contents.isDouble ? new Float64Array(0) : new Float32Array(0))
  if (layout === contents.layout) return contents
  const name = (of: string) => (of === 'none' ? 'the reference' : of)
  throw new BackendError(
    `attach: the plan's weights are packed for ${name(contents.layout)}, and this thread runs ${name(layout)}; ` +
      'call useBackend with the same name in both threads, or compile the model in this one',
  )
}
