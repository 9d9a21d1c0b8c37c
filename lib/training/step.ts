/** What happens with one batch: cutting it into windows, the forward pass, the loss. */
import { describe } from '../errors.ts'
import type { Model, State } from '../layers/layer.ts'
import { type Loss, type LossContext, maskOf } from '../operations/losses.ts'
import { slice } from '../operations/shape.ts'
import { Tensor } from '../tensor.ts'
import { type Batch, hasStepTargets } from './dataset.ts'

/** A batch, or one window of it, which continues the one before. */
export interface Part extends Batch {
  /** What its mean loss is a mean over: valid steps where predictions are per step of the targets, else sequences. */
  weight: number
  /** Sequences that no earlier part of the batch has counted. */
  samples: number
  /** Which steps count, where targets are per step and some steps are padding. */
  mask?: Tensor
  /** What the model is handed of y, if it reads targets. */
  target?: Tensor
}

/** The whole batch as one part. */
export function wholePart(model: Model, batch: Batch): Part {
  const { x, y, lengths, targetLengths, continues } = batch
  const samples = x.shape[0]
  if (!targetLengths) return partOf(batch, { perStep: hasStepTargets(batch), samples })
  if (!model.readsTarget) return { x, y, lengths, targetLengths, continues, weight: x.shape[0], samples }
  return { x, y, lengths, continues, target: y, ...countedSteps(y.shape, targetLengths, y), samples }
}

/**
 * The windows of at most `truncate` steps that a batch is cut into; one part if it is no longer than that.
 *
 * @throws {RangeError} if it has to be cut and the targets are not per step
 */
export function* windowParts(
  place: string,
  batch: Batch,
  { model, truncate }: { model: Model; truncate: number },
): Generator<() => Part> {
  const { x, y, lengths, continues = false } = batch
  const T = x.shape[1] ?? 1
  if (T <= truncate) {
    yield () => wholePart(model, batch)
    return
  }
  if (!hasStepTargets(batch)) {
    throw new RangeError(
      `${place}: truncate: ${truncate} cuts the ${T} steps of x [${x.shape}], which needs targets for each step, ` +
        `[B, T, ...] or int32 [B, T]; got ${y.dataType} [${y.shape}]`,
    )
  }
  for (let start = 0; start < T; start += truncate) {
    const end = Math.min(start + truncate, T)
    const own = lengths?.map((length) => Math.min(Math.max(length - start, 0), end - start))
    yield () => {
      const window = {
        x: slice(x, { axis: 1, start, end }),
        y: slice(y, { axis: 1, start, end }),
        lengths: own,
        continues: continues || start > 0,
      }
      return partOf(window, { perStep: true, samples: start === 0 ? x.shape[0] : 0 })
    }
  }
}

function partOf(
  { x, y, lengths, continues }: Batch,
  { perStep, samples }: { perStep: boolean; samples: number },
): Part {
  const [B] = x.shape
  if (!perStep) return { x, y, lengths, continues, weight: B, samples }
  return { x, y, lengths, continues, ...countedSteps(x.shape, lengths, x), samples }
}

/** How many steps of [B, T] count, and which, where not all do. */
function countedSteps(
  [B, T]: readonly number[],
  lengths: Int32Array | undefined,
  { dataType: given }: Tensor,
): { weight: number; mask?: Tensor } {
  const weight = lengths ? lengths.reduce((sum, n) => sum + n, 0) : B * T
  const dataType = given === 'float64' ? 'float64' : 'float32'
  return { weight, mask: lengths && weight < B * T ? maskOf(lengths, T, { dataType }) : undefined }
}

/**
 * Runs the model and the loss on a part, from `state` if it continues one.
 *
 * @throws {TypeError} if one of them returns something unusable
 */
export function forwardPart(
  model: Model,
  { x, y, lengths, targetLengths, mask, target, continues }: Part,
  { loss, state }: { loss: Loss; state: State },
): { prediction: Tensor; loss: Tensor; state: State; context: LossContext | undefined } {
  const isStateful = continues !== undefined
  const result = model.forward(x, {
    ...(lengths && { lengths }),
    ...(target && { target }),
    ...(isStateful && { state: (continues ? state : undefined) ?? null }),
  })
  const isTensor = result instanceof Tensor
  const prediction = isTensor ? result : result?.output
  if (!(prediction instanceof Tensor)) {
    throw new TypeError(`expected the model to return a tensor or { output, state }, got ${describe(result)}`)
  }
  if (isStateful && isTensor) {
    throw new TypeError(
      'truncate, and batches that continue others, need a model that returns { output, state } when it is given a state',
    )
  }
  const own = lengths && model.computeLengths ? model.computeLengths(lengths) : lengths
  const context = targetLengths ? { ...(own && { lengths: own }), targetLengths } : mask && { mask }
  const value = loss(prediction, y, context)
  if (!(value instanceof Tensor) || value.size !== 1) {
    const got = value instanceof Tensor ? `shape [${value.shape}]` : describe(value)
    throw new TypeError(`expected the loss to be a tensor of one element, got ${got}`)
  }
  return { prediction, loss: value, state: isTensor ? undefined : result.state, context }
}

/** Runs `body`; an error of misuse inside gets the batch's name and shapes put before its message. */
export function namingBatch<T>(place: string, { x, y }: Batch, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error
    const Kind = error instanceof RangeError ? RangeError : TypeError
    throw new Kind(`${place} (x [${x.shape}], y [${y.shape}]): ${error.message}`, { cause: error })
  }
}
