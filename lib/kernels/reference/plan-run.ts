/** Runs of plans: sequences of several lengths one after the other, and states among others. */
import type { FloatArray, RunPlan, StateSlots } from '../contract.ts'
import { endsInOneStep, runsRagged } from '../plan-widths.ts'
import { zerosLike } from './lstm-common.ts'
import { type ReferencePlan, runDense } from './plan.ts'

export function runPlan(call: RunPlan): void {
  const { slots, B, y, plan } = call
  if (!slots) {
    runLengths(call)
    return
  }
  const states = zerosLike(y, B * plan.stateWidth)
  for (let b = 0; b < B; b++) states.set(stateRow(slots, b, plan.stateWidth), b * plan.stateWidth)
  runLengths({ ...call, initialState: states, finalState: states })
  for (let b = 0; b < B; b++) {
    stateRow(slots, b, plan.stateWidth).set(states.subarray(b * plan.stateWidth, (b + 1) * plan.stateWidth))
  }
}

function stateRow({ slabs, rows, slots }: StateSlots, b: number, width: number): FloatArray {
  const first = (slots[b] % rows) * width
  return slabs[Math.floor(slots[b] / rows)].subarray(first, first + width)
}

/** What a ragged run means: each sequence as if it were alone. */
function runLengths({ slots: _, offsets, ...call }: RunPlan): void {
  if (!offsets) {
    runDense(call)
    return
  }
  const { plan, B, x, y, initialState, finalState } = call
  const { sized, stateWidth } = plan as ReferencePlan
  if (call.lengths || call.mask || !sized.every(({ step }) => runsRagged(step)))
    throw new TypeError('runPlan: offsets are for plans that run ragged, without lengths or a mask')
  const { output } = sized.at(-1)!
  const leavesOne = sized.some(({ step }) => endsInOneStep(step))
  const input = sized[0].step.kind === 'embedding' ? 1 : sized[0].input
  const stateOf = (states: FloatArray | undefined, b: number) =>
    states?.subarray(b * stateWidth, (b + 1) * stateWidth)
  for (let b = 0; b < B; b++) {
    const [first, end] = [offsets[b], offsets[b + 1]]
    runDense({
      plan,
      B: 1,
      T: end - first,
      x: x.subarray(first * input, end * input),
      y: leavesOne ? y.subarray(b * output, (b + 1) * output) : y.subarray(first * output, end * output),
      initialState: stateOf(initialState, b),
      finalState: stateOf(finalState, b),
    })
  }
}
