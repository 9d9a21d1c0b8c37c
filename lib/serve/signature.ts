/** What a model takes and gives, as the protocol describes it. */
import type { Plan } from '../inference/plan.ts'

export interface Signature {
  /** Features of a step of x, or 0 where x holds indices. */
  readonly inputSize: number
  /** Indices are below this; 0 where x holds features. */
  readonly vocabulary: number
  readonly outputSize: number
  /** Floats of a sequence's state; 0: the model has none. */
  readonly stateSize: number
  /** Of features, outputs and states. */
  readonly type: 'float32' | 'float64'
  /** The steps that a row may have: windows ask for some, a Flatten for a certain number. */
  readonly leastSteps: number
  readonly mostSteps: number
  /** y has no axis of steps. */
  readonly endsInOneStep: boolean
  /** The layer for which there can be no sequences over several requests; undefined where there can. */
  readonly obstacle?: string
}

/** Beyond this nobody looks for a number of steps that the model would take. */
const furthest = 2 ** 20

/** @throws {RangeError} if no number of steps fits the model */
export function signatureOf({ parts, inputSize, outputSize, stateSize }: Plan): Signature {
  const { vocabulary, like, endsInOneStep, obstacle } = parts
  const fits = (T: number): boolean => {
    try {
      parts.stepsAfter(T)
      return true
    } catch (error) {
      if (error instanceof RangeError) return false
      throw error
    }
  }
  let leastSteps = 1
  while (!fits(leastSteps)) {
    if (++leastSteps > furthest) throw new RangeError(`the model takes no number of steps up to ${furthest}`)
  }
  // What fits stands in one stretch: more steps never make fewer.
  let mostSteps = Number.POSITIVE_INFINITY
  if (!fits(furthest)) for (mostSteps = leastSteps; fits(mostSteps + 1); ) mostSteps++
  const type = like instanceof Float64Array ? 'float64' : 'float32'
  return {
    inputSize,
    vocabulary,
    outputSize,
    stateSize,
    type,
    leastSteps,
    mostSteps,
    endsInOneStep,
    obstacle,
  }
}
