/** The way of an inference request: body, tensors, batcher or sequence, answer. One promise is awaited, that of the batcher. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { Tensor } from '../tensor.ts'
import type { Settings } from './options.ts'
import { readBody } from './protocol/body.ts'
import { type InferRequest, parseInferRequest } from './protocol/request.ts'
import { encodeResponse } from './protocol/response.ts'
import { writeAnswer, writeError } from './reply.ts'
import { asRequestError, badRequest, ClientGoneError } from './request-error.ts'
import { runRows } from './rows.ts'
import type { SequenceStore } from './sequences/store.ts'
import type { ServedModel } from './served-model.ts'

export interface InferContext {
  readonly settings: Settings
  readonly store: SequenceStore
  readonly log: FastifyBaseLogger
  /** Connections are to end with the answer. */
  readonly isDraining: () => boolean
}

/** @param isVersioned the client has asked for this version, whichever is the newest */
export function infer(
  context: InferContext,
  { model, isVersioned }: { model: ServedModel; isVersioned: boolean },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const start = performance.now()
  const abort = new AbortController()
  response.once('close', () => {
    if (!response.writableEnded) abort.abort(new ClientGoneError())
  })
  const fail = (error: unknown): void => {
    const refusal = asRequestError(error)
    model.counters.requests[refusal.outcome]++
    model.counters.failureSeconds += (performance.now() - start) / 1000
    if (refusal.status >= 500 && refusal.outcome === 'error')
      context.log.error({ model: model.name, version: model.version, err: error }, 'inference failed')
    if (refusal.outcome !== 'cancelled') writeError(request, response, refusal, context.isDraining())
  }
  readBody(request, context.settings.bodyLimit, (error, body) => {
    if (error || !body) return fail(error ?? new ClientGoneError())
    try {
      const header = request.headers['inference-header-content-length'] as string | undefined
      const { signature } = model.current
      const parsed = parseInferRequest(body, header, signature, context.settings)
      run(context, { model, isVersioned }, parsed, abort.signal).then((answer) => {
        try {
          const encoded = encodeResponse(answer.start, answer.tensors)
          count(model, parsed.B, start)
          writeAnswer(response, encoded, context.isDraining())
        } catch (problem) {
          fail(problem)
        }
      }, fail)
    } catch (problem) {
      fail(problem)
    }
  })
}

function count({ counters }: ServedModel, rows: number, start: number): void {
  counters.requests.ok++
  counters.inferences += rows
  counters.lastInference = Date.now()
  counters.duration.add((performance.now() - start) / 1000)
}

interface Answer {
  start: string
  tensors: { name: string; shape: readonly number[]; data: Float32Array | Float64Array; isBinary: boolean }[]
}

function run(
  { store }: InferContext,
  { model, isVersioned }: { model: ServedModel; isVersioned: boolean },
  request: InferRequest,
  signal: AbortSignal,
): Promise<Answer> {
  const { parameters, id, outputs } = request
  const start = id === undefined ? model.answerStart : `${model.answerStart},"id":${JSON.stringify(id)}`
  if (parameters.sequenceId !== undefined)
    return runStep(store, { model, isVersioned }, request, start, signal)
  return runRows(model.current, request, signal).then((results) => ({
    start,
    tensors: outputs.map(({ name, isBinary }) => ({ name, isBinary, ...results[name]! })),
  }))
}

async function runStep(
  store: SequenceStore,
  { model: { current }, isVersioned }: { model: ServedModel; isVersioned: boolean },
  { parameters, id, outputs, B, T, x, lengths, state }: InferRequest,
  start: string,
  signal: AbortSignal,
): Promise<Answer> {
  const { obstacle } = current.signature
  if (obstacle) {
    throw badRequest(
      `parameter sequence_id: expected none, for the model has ${obstacle}, which needs all steps of a sequence in one request`,
    )
  }
  if (B !== 1) throw badRequest(`input x: expected one row in a request of a sequence, got ${B}`)
  if (state || outputs.some(({ name }) => name === 'state'))
    throw badRequest(
      'state: expected neither input nor output of that name in a sequence, whose state the server keeps',
    )
  const { sequenceId, sequenceIdJson, sequenceStart, sequenceEnd, sequenceStep, priority, timeout } =
    parameters
  const steps = lengths ? lengths[0] : T
  const width = x.length / T
  const row = new Tensor(x instanceof Int32Array ? [steps] : [steps, width], x.subarray(0, steps * width))
  const { output, step, isReplay } = await store.step({
    model: isVersioned ? current.thisVersion : current.anyVersion,
    sequenceId: sequenceId!,
    requestId: id,
    start: sequenceStart,
    end: sequenceEnd,
    step: sequenceStep,
    x: row,
    priority,
    timeout,
    signal,
  })
  const data = output.array as Float32Array
  const facts = `"sequence_id":${sequenceIdJson},"sequence_step":${step}${isReplay ? ',"sequence_replay":true' : ''}`
  return {
    start: `${start},"parameters":{${facts}}`,
    tensors: outputs.map(({ name, isBinary }) => ({ name, isBinary, shape: [1, ...output.shape], data })),
  }
}
