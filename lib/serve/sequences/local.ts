/**
 * States in this process: a stream of the batcher for each sequence. Beside its stream a sequence costs some 210 bytes, its id
 * and its place in the list included, and with ids of requests some 350 and the last response. Those idle for too long are found
 * at the front of a list that is kept in the order of use, so that neither many sequences nor many timers cost anything while
 * they do nothing.
 */
import { newStatistics, refusalOf, requireSequenceId, timeLeft } from './rules.ts'
import {
  SequenceLimitError,
  type SequenceModel,
  type SequenceStatistics,
  type SequenceStore,
  type SequenceStream,
  StateUnavailableError,
  type StepRequest,
  type StepResult,
} from './store.ts'
import { Turns, untilAborted } from './turns.ts'

export interface LocalStoreOptions {
  /** Sequences alive at once; default 100,000. */
  maxSequences?: number
  /** Ms without a step after which a sequence is ended; default 60,000. */
  maxSequenceIdle?: number
}

/** Idle sequences are ended so many at a time, between which requests are served. */
const mostAtOnce = 1_000
/** Ends of sequences remembered, for retries of the last step. */
const mostEnds = 10_000

class Sequence extends Turns {
  readonly id: string
  /** Undefined until its first step has run, and after its last. */
  stream: SequenceStream | undefined
  model: SequenceModel
  steps = 0
  /** Of the last step, where it had one; with its output. */
  requestId: string | undefined
  output: StepResult['output'] | undefined
  usedAt = 0

  constructor(id: string, model: SequenceModel) {
    super()
    this.id = id
    this.model = model
  }
}

export class LocalStore implements SequenceStore {
  onEvicted?: (model: string, sequenceId: string) => void
  readonly #statistics = newStatistics()
  readonly #maxSequences: number
  readonly #maxSequenceIdle: number
  /** Alive, or about to be, in the order of their last use. */
  readonly #sequences = new Map<string, Sequence>()
  /** Ended by a request with an id, the longest ago first. */
  readonly #ended = new Map<string, Sequence>()
  readonly #pending = new Set<Promise<unknown>>()
  /** Those with a stream, be it for a first step that still runs. */
  #active = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor({ maxSequences = 100_000, maxSequenceIdle = 60_000 }: LocalStoreOptions = {}) {
    this.#maxSequences = maxSequences
    this.#maxSequenceIdle = maxSequenceIdle
  }

  get active(): number {
    return this.#active
  }

  get statistics(): Readonly<SequenceStatistics> {
    return this.#statistics
  }

  get isReady(): boolean {
    return !this.#isClosed
  }

  async step(request: StepRequest): Promise<StepResult> {
    requireSequenceId(request)
    if (this.#isClosed) throw new StateUnavailableError('the store of sequences is closed')
    const { model, sequenceId, timeout = Number.POSITIVE_INFINITY } = request
    const key = `${encodeURIComponent(model.name)}:${sequenceId}`
    const sequence = this.#sequences.get(key) ?? new Sequence(sequenceId, model)
    this.#use(key, sequence)
    const deadline = performance.now() + timeout
    const step = sequence.run(() => this.#apply(key, sequence, request, deadline))
    this.#pending.add(step)
    const settle = (): void => {
      this.#pending.delete(step)
      if (sequence.waiting === 0 && !sequence.stream) this.#sequences.delete(key)
      else this.#use(key, sequence)
    }
    step.then(settle, settle)
    return untilAborted(step, request.signal)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#pending)
    clearTimeout(this.#timer)
    for (const { stream } of this.#sequences.values()) stream?.close()
    this.#sequences.clear()
    this.#ended.clear()
    this.#active = 0
  }

  async #apply(key: string, sequence: Sequence, request: StepRequest, deadline: number): Promise<StepResult> {
    request.signal?.throwIfAborted()
    const earlier = this.#earlier(request, sequence.stream ? sequence : this.#ended.get(key))
    if (earlier) return earlier
    const { steps, model, stream: before } = sequence
    const refusal = refusalOf(request, before && { steps, stateLayout: model.stateLayout })
    if (refusal) throw refusal
    const timeout = timeLeft(request, deadline)
    const stream = this.#streamFor(request, sequence)
    let output: StepResult['output']
    try {
      // Not the signal: a step that runs is finished and remembered, for the retry of a client that has gone.
      output = await stream.next(request.x, { timeout, priority: request.priority })
    } catch (error) {
      if (stream !== before) stream.close()
      if (!before) this.#active--
      throw error
    }
    if (stream !== before) before?.close()
    if (!request.start && request.model.fingerprint !== model.fingerprint) this.#statistics.reloads++
    this.#statistics.steps++
    const step = request.start ? 0 : steps
    sequence.stream = stream
    sequence.model = request.model
    sequence.steps = step + 1
    sequence.requestId = request.requestId
    sequence.output = request.requestId === undefined ? undefined : output
    this.#ended.delete(key)
    if (request.end) this.#end(key, sequence)
    return { output, step, isReplay: false }
  }

  #earlier({ requestId }: StepRequest, sequence: Sequence | undefined): StepResult | undefined {
    if (!sequence?.output || sequence.requestId !== requestId) return undefined
    this.#statistics.replays++
    return { output: sequence.output, step: sequence.steps - 1, isReplay: true }
  }

  /** The sequence's own, or another that takes its place if the step succeeds: at a start, or after a reload. */
  #streamFor({ start, model }: StepRequest, { stream, model: before }: Sequence): SequenceStream {
    if (stream && !start && model === before) return stream
    if (!stream && this.#active >= this.#maxSequences) {
      throw new SequenceLimitError(`${this.#active} sequences are alive, as many as maxSequences allows`)
    }
    const fresh = model.batcher.stream()
    if (!stream) this.#active++
    else if (!start) fresh.state = stream.state
    return fresh
  }

  #end(key: string, sequence: Sequence): void {
    sequence.stream!.close()
    sequence.stream = undefined
    this.#active--
    if (sequence.requestId === undefined) return
    const { id, model, steps, requestId, output } = sequence
    this.#ended.set(key, Object.assign(new Sequence(id, model), { steps, requestId, output, usedAt: now() }))
    if (this.#ended.size > mostEnds) this.#ended.delete(this.#ended.keys().next().value!)
  }

  /** To the end of the list. */
  #use(key: string, sequence: Sequence): void {
    sequence.usedAt = now()
    this.#sequences.delete(key)
    this.#sequences.set(key, sequence)
    if (!this.#timer) this.#wait(this.#maxSequenceIdle)
  }

  #wait(time: number): void {
    this.#timer = setTimeout(() => this.#evict(), time)
    this.#timer.unref()
  }

  #evict(): void {
    this.#timer = undefined
    const idleSince = now() - this.#maxSequenceIdle
    let ended = 0
    for (const [key, sequence] of this.#sequences) {
      if (sequence.usedAt > idleSince || ended++ >= mostAtOnce) break
      if (sequence.waiting > 0) continue
      sequence.stream?.close()
      this.#sequences.delete(key)
      this.#active--
      this.#statistics.evicted++
      this.onEvicted?.(sequence.model.name, sequence.id)
    }
    for (const [key, { usedAt }] of this.#ended) {
      if (usedAt > idleSince) break
      this.#ended.delete(key)
    }
    if (this.#isClosed || this.#sequences.size + this.#ended.size === 0) return
    const [oldest] = this.#sequences.values()
    const left = oldest ? oldest.usedAt - idleSince : this.#maxSequenceIdle
    this.#wait(ended > mostAtOnce ? 1 : Math.max(left, 10))
  }
}

/** In whole ms: a number that needs no memory of its own. */
function now(): number {
  return Math.ceil(performance.now())
}
