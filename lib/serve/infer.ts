/** The way of an inference request: body, tensors, batcher or sequence, answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { clientSignal } from './client-signal.ts'
import type { Settings } from './options.ts'
import { readBody } from './protocol/body.ts'
import { type InferRequest, parseInferRequest } from './protocol/request.ts'
import { encodeResponse } from './protocol/response.ts'
import { writeAnswer, writeError } from './reply.ts'
import { asRequestError, ClientGoneError, RequestError } from './request-error.ts'
import { type Results, runRows } from './rows.ts'
import { runStep } from './sequence-step.ts'
import type { SequenceStore } from './sequences/store.ts'
import type { LoadedPlan, ServedModel } from './served-model.ts'

export interface InferContext {
  readonly settings: Settings
  readonly store: SequenceStore
  readonly log: FastifyBaseLogger
  /** Connections are to end with the answer. */
  readonly isDraining: () => boolean
}

/** A request and the connection it came on. */
export class Inference {
  readonly #context: InferContext
  readonly #model: ServedModel
  readonly #isVersioned: boolean
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #start = performance.now()

  /** @param isVersioned the client has asked for this version, whichever is the newest */
  constructor(
    context: InferContext,
    { model, isVersioned }: { model: ServedModel; isVersioned: boolean },
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#context = context
    this.#model = model
    this.#isVersioned = isVersioned
    this.#request = request
    this.#response = response
  }

  run(): void {
    const encoding = this.#request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      this.#fail(new RequestError(415, `expected a body without Content-Encoding, got ${encoding}`))
      return
    }
    readBody(this.#request, this.#context.settings.bodyLimit, (error, body) => {
      if (error || !body) this.#fail(error ?? new ClientGoneError())
      else this.#infer(body)
    })
  }

  #infer(body: Buffer): void {
    // One plan from here to the answer, whatever is loaded meanwhile.
    const { current } = this.#model
    let parsed: InferRequest
    try {
      const header = this.#request.headers['inference-header-content-length'] as string | undefined
      parsed = parseInferRequest(body, header, current.signature, this.#context.settings)
    } catch (error) {
      this.#fail(error)
      return
    }
    // Not the tensors: the batcher has its own copy, and a body that waits with its request is a long-lived one to V8.
    const { id, outputs, B } = parsed
    current.rowsUnderWay += B
    this.#compute(current, parsed).then(
      (results) => {
        current.rowsUnderWay -= B
        this.#answer({ id, outputs, B }, results, current.outputs)
      },
      (error) => {
        current.rowsUnderWay -= B
        this.#fail(error)
      },
    )
  }

  #compute(current: LoadedPlan, request: InferRequest): Promise<Results & { facts?: string }> {
    const signal = clientSignal(this.#request.socket)
    if (request.parameters.sequenceId === undefined) return runRows(current, request, signal)
    return runStep(this.#context.store, current, { request, isVersioned: this.#isVersioned, signal })
  }

  #answer(
    { id, outputs, B }: Pick<InferRequest, 'id' | 'outputs' | 'B'>,
    results: Results & { facts?: string },
    pool: LoadedPlan['outputs'],
  ): void {
    try {
      const { counters, answerStart } = this.#model
      let start = id === undefined ? answerStart : `${answerStart},"id":${JSON.stringify(id)}`
      if (results.facts !== undefined) start += `,"parameters":{${results.facts}}`
      const encoded = encodeResponse(start, outputs, results)
      counters.requests.ok++
      counters.inferences += B
      counters.lastInference = Date.now()
      counters.duration.add((performance.now() - this.#start) / 1000)
      const { lent } = results
      writeAnswer(this.#response, encoded, this.#context.isDraining(), () => lent && pool.give(lent))
      this.#log('ok', 200)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    const { name: model, version, counters } = this.#model
    const refusal = asRequestError(error)
    counters.requests[refusal.outcome]++
    counters.failureSeconds += (performance.now() - this.#start) / 1000
    if (refusal.outcome === 'error')
      this.#context.log.error({ model, version, err: error }, 'inference failed')
    else this.#log(refusal.outcome, refusal.status, refusal.message)
    if (refusal.outcome !== 'cancelled')
      writeError(this.#request, this.#response, refusal, this.#context.isDraining())
  }

  #log(outcome: string, status: number, message?: string): void {
    const { log } = this.#context
    if (log.level !== 'debug' && log.level !== 'trace') return
    const { name: model, version } = this.#model
    const ms = Number((performance.now() - this.#start).toFixed(3))
    const { remoteAddress: client } = this.#request.socket
    log.debug({ model, version, client, outcome, status, ms, reason: message }, 'inference')
  }
}
