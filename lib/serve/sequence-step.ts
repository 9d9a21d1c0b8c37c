/** A request of a sequence: one step of it, whose state a store keeps. */
import type { InferRequest } from './protocol/request.ts'
import { badRequest } from './request-error.ts'
import { asRow, type Results, rowOf } from './rows.ts'
import type { SequenceStore } from './sequences/store.ts'
import type { LoadedPlan } from './served-model.ts'

/** @returns y [1, T, outputSize] or [1, outputSize], and the parameters of the answer, in JSON */
export async function runStep(
  store: SequenceStore,
  { anyVersion, thisVersion, signature: { obstacle } }: LoadedPlan,
  { request, isVersioned, signal }: { request: InferRequest; isVersioned: boolean; signal: AbortSignal },
): Promise<Results & { facts: string }> {
  const { parameters, id, outputs, B, state } = request
  if (obstacle) {
    throw badRequest(
      `parameter sequence_id: expected none, for the model has ${obstacle}, which needs all steps of a sequence in one request`,
    )
  }
  if (B !== 1) throw badRequest(`input x: expected one row in a request of a sequence, got ${B}`)
  if (state || outputs.some(({ name }) => name === 'state')) {
    throw badRequest(
      'state: expected neither an input nor an output of that name in a sequence, whose state the server keeps',
    )
  }
  const { sequenceId, sequenceIdJson, sequenceStart, sequenceEnd, sequenceStep } = parameters
  const { priority, timeout } = parameters
  const { output, step, isReplay } = await store.step({
    model: isVersioned ? thisVersion : anyVersion,
    sequenceId: sequenceId!,
    requestId: id,
    start: sequenceStart,
    end: sequenceEnd,
    step: sequenceStep,
    x: rowOf(request, 0),
    priority,
    timeout,
    signal,
  })
  const replay = isReplay ? ',"sequence_replay":true' : ''
  return {
    y: asRow(output),
    facts: `"sequence_id":${sequenceIdJson},"sequence_step":${step}${replay}`,
  }
}
