/** Layers that the recurrent operators of a chain are. */
import type { FloatArray } from '../../kernels/contract.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import { LastStep } from '../../layers/last-step.ts'
import { LSTM } from '../../layers/lstm.ts'
import { RNN } from '../../layers/rnn.ts'
import type { Axis } from './axes.ts'
import { weightsOf } from './operators/lstm.ts'
import { variantsOf } from './operators/lstm-variant.ts'
import { activationsOf } from './operators/rnn.ts'
import { floatType, type Step, type Translate } from './step.ts'

export const recurrentTranslations: Record<string, Translate> = { LSTM: lstm, RNN: rnn }

function lstm(step: Step): readonly Axis[] {
  const { call, link } = step
  const { isBatchFirst, isOfImage } = requireSequence(step, [5, 6])
  const [W, R] = [step.weight(1), step.weight(2)]
  for (const i of [3, 7]) if (call.inputs[i]) step.weight(i)
  const [D, rows, inputSize] = W.shape
  const hiddenSize = rows / 4
  const [variant, other = variant] = variantsOf(call, D)
  if (JSON.stringify(variant) !== JSON.stringify(other))
    step.refuse('its directions have different activations')
  const reverse = call.text('direction', 'forward') === 'reverse'
  // The last step of what was read forwards is the final state: only other states need an option of their own.
  const returnSequences = link.output === 0 || (D === 1 && !reverse)
  const layer = withoutInitialValues(
    () =>
      new LSTM({
        ...variant,
        inputSize,
        hiddenSize,
        bidirectional: D === 2,
        reverse,
        returnSequences,
        bias: call.inputs[3] !== undefined,
        peepholes: call.inputs[7] !== undefined,
        dataType: floatType(W),
      }),
  )
  const sizes = { D, I: inputSize, H: R.shape[2] }
  weightsOf(call, sizes, (name, d) => layer.weights[0][d][name]!.array as FloatArray)
  if (isOfImage) for (const { weightIh } of layer.weights[0]) step.turnImages(weightIh.array as FloatArray)
  step.layers.push(layer)
  if (link.output === 2) step.refuse('its final cell is read')
  return after(step, { isBatchFirst, isLast: returnSequences })
}

function rnn(step: Step): readonly Axis[] {
  const { call, link } = step
  const { isBatchFirst, isOfImage } = requireSequence(step, [5])
  const [W, R] = [step.weight(1), step.weight(2)]
  const B = call.inputs[3] && step.weight(3)
  const [D, H, inputSize] = W.shape
  const [nonlinearity, other = nonlinearity] = activationsOf(call, D)
  if (nonlinearity !== other) step.refuse('its directions have different activations')
  if (call.text('direction', 'forward') === 'reverse') step.refuse('no RNN reads backwards alone')
  if (link.output === 1 && D === 2) step.refuse('no RNN gives the final states of both directions')
  const layer = withoutInitialValues(
    () =>
      new RNN({
        inputSize,
        hiddenSize: H,
        nonlinearity,
        bidirectional: D === 2,
        bias: B !== undefined,
        dataType: floatType(W),
      }),
  )
  for (const [d, { weightIh, weightHh, biasIh, biasHh }] of layer.weights[0].entries()) {
    const part = (data: ArrayLike<number>, index: number, count: number) => {
      const size = data.length / count
      return (data as FloatArray).subarray(index * size, (index + 1) * size)
    }
    weightIh.array.set(part(W.data, d, D))
    weightHh.array.set(part(R.data, d, D))
    if (B) biasIh!.array.set(part(B.data, 2 * d, 2 * D))
    if (B) biasHh!.array.set(part(B.data, 2 * d + 1, 2 * D))
    if (isOfImage) step.turnImages(weightIh.array as FloatArray)
  }
  step.layers.push(layer)
  return after(step, { isBatchFirst, isLast: true })
}

/** A sequence of which all steps are read, from states that are zeros or inputs. @param states those among the inputs */
function requireSequence(
  step: Step,
  states: readonly number[],
): { isBatchFirst: boolean; isOfImage: boolean } {
  const { call, link } = step
  const isBatchFirst = call.integer('layout', 0) === 1
  const isOfImage = step.axes.at(-1) === 'c'
  const last: Axis = isOfImage ? 'c' : 'f'
  step.requireAxes(...((isBatchFirst ? ['b', 't', last] : ['t', 'b', last]) satisfies Axis[]))
  for (const i of states) {
    if (call.inputs[i]?.data.some((n) => n !== 0))
      step.refuse('it starts from a state that is neither zeros nor an input')
  }
  const lengths = step.context.constants.get(link.node.inputs[4] ?? '')
  if (lengths?.data.some((n) => n !== step.shape[isBatchFirst ? 1 : 0])) step.refuse('its lengths are fixed')
  return { isBatchFirst, isOfImage }
}

/** The axes of the output that is read; a final state is the last step of all of them, if `isLast`. */
function after(
  step: Step,
  { isBatchFirst, isLast }: { isBatchFirst: boolean; isLast: boolean },
): readonly Axis[] {
  if (step.link.output === 0) return isBatchFirst ? ['b', 't', 'd', 'f'] : ['t', 'd', 'b', 'f']
  if (isLast) step.layers.push(new LastStep())
  return isBatchFirst ? ['b', 'd', 'f'] : ['d', 'b', 'f']
}
