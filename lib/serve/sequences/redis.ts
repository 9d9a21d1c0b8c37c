/**
 * States in Redis, so that replicas share sequences: any of them takes the next step, and one that dies takes nothing with it.
 *
 * A sequence is one key that holds one record (`record.ts`): the state, the number of steps, marks of the latest requests and
 * the last response. Every write draws a new random token. A step is
 *
 *   1. the record: the one this process keeps from the last step, without asking whether it still holds, or else a GET;
 *   2. the model, from the record's state;
 *   3. a script that replaces the record only if its token is still the one of 1, and returns the one it finds if not;
 *   4. the answer to the client, after the script's.
 *
 * So a step costs one round trip where the sequence was here last, two where it was not, and:
 *
 * - A step is applied once or not at all: whatever happened between 1 and 3 changed the token.
 * - No acknowledged step is lost with a replica. Whether Redis itself keeps what it has acknowledged is its own setting:
 *   `appendonly yes` with `appendfsync always` does; `everysec` may lose the last second, snapshots the time since the last, a
 *   failover what had not reached the new master. A process that remembers more steps than Redis does refuses to go on.
 * - A lost race (3 returned another record) begins again at 1 with that record, a bounded number of times.
 * - A request with an id leaves a mark in the record. Who meets its own mark as the last one returns the stored response, which
 *   makes retries exact, through whatever replica; who meets it among the earlier ones is a straggler and is refused.
 * - A request without an id leaves a random mark. If the connection breaks before the answer to 3, the record is read again:
 *   the mark says whether the step was applied. So a process's own retries are always exact; those of a client need an id,
 *   for only the client knows that two of its requests are the same.
 * - After `end` a record without a state stays for a minute, to answer retries of the last step.
 *
 * While Redis is away steps wait for `patience` ms from the break and are refused at once from then on. What waits is bounded.
 */
import { RedisCommands } from './commands.ts'
import { ConnectionLostError, RedisConnection } from './connection.ts'
import {
  decodeRecord,
  encodeRecord,
  isLast,
  isRemembered,
  markOf,
  randomMark,
  randomToken,
  remember,
  type SequenceRecord,
} from './record.ts'
import { RecordCache, type Sequence } from './record-cache.ts'
import { newStatistics, refusalOf, requireSequenceId, timeLeft } from './rules.ts'
import {
  SequenceConflictError,
  type SequenceStatistics,
  type SequenceStore,
  StateUnavailableError,
  type StepRequest,
  type StepResult,
} from './store.ts'
import { untilAborted } from './turns.ts'

export interface RedisStoreOptions {
  /** `redis[s]://[[user]:password@]host[:port][/database]` */
  url: string
  /** Ms without a step after which Redis forgets a sequence; default 60,000. */
  maxSequenceIdle?: number
  /** Bytes of records kept here to save a round trip; default 64 MiB. */
  cacheBytes?: number
  /** Steps under way and waiting at once; default 16,384. */
  maxPending?: number
  /** Ms without a reply after which the connection counts as broken; default 2,000. */
  replyTimeout?: number
  /** Ms after a break for which steps wait for a new connection; default 1,000. */
  patience?: number
  /** Ms within which there must be a first connection; default 5,000. */
  openTimeout?: number
}

/** Lost races, and broken connections, after which a step gives up. */
const mostRaces = 16
const mostBreaks = 4
/** Ms for which the end of a sequence is remembered. */
const endRemembered = 60_000

/** A step on its way. */
interface Attempt {
  request: StepRequest
  key: string
  sequence: Sequence
  mark: Buffer
  /** In ms of `performance.now()`. */
  deadline: number
  /** What a write would come to of which no answer has come, and its token. */
  unsure: { result: StepResult; token: Buffer } | undefined
}

export class RedisStore implements SequenceStore {
  /** Redis tells nobody what it forgets. */
  onEvicted?: (model: string, sequenceId: string) => void
  readonly #statistics = newStatistics()
  readonly #connection: RedisConnection
  readonly #commands: RedisCommands
  readonly #cache: RecordCache
  readonly #maxSequenceIdle: number
  readonly #maxPending: number
  #pending = new Set<Promise<unknown>>()
  #isClosed = false

  /** @throws {StateUnavailableError} if there is no connection within `openTimeout` */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const { url, replyTimeout = 2_000, patience = 1_000, openTimeout = 5_000 } = options
    const connection = new RedisConnection({ url, replyTimeout, patience })
    try {
      await connection.whenReady(openTimeout)
    } catch (error) {
      connection.close()
      throw error
    }
    return new RedisStore(connection, options)
  }

  /** @internal Use `open`. */
  constructor(connection: RedisConnection, options: RedisStoreOptions) {
    this.#connection = connection
    this.#commands = new RedisCommands(connection)
    this.#cache = new RecordCache(options.cacheBytes ?? 64 * 2 ** 20)
    this.#maxSequenceIdle = options.maxSequenceIdle ?? 60_000
    this.#maxPending = options.maxPending ?? 16_384
  }

  get active(): number {
    return this.#cache.size
  }

  get statistics(): Readonly<SequenceStatistics> {
    return this.#statistics
  }

  get isReady(): boolean {
    return this.#connection.isReady && !this.#isClosed
  }

  async step(request: StepRequest): Promise<StepResult> {
    requireSequenceId(request)
    if (this.#isClosed) throw new StateUnavailableError('the store of sequences is closed')
    if (this.#pending.size >= this.#maxPending)
      throw new StateUnavailableError(`${this.#maxPending} steps already wait for their states`)
    const { model, sequenceId, requestId, timeout = Infinity } = request
    const key = `lstm:sequence:${encodeURIComponent(model.name)}:${sequenceId}`
    const sequence = this.#cache.take(key)
    const mark = requestId === undefined ? randomMark() : markOf(requestId)
    const deadline = performance.now() + timeout
    const attempt: Attempt = { request, key, sequence, mark, deadline, unsure: undefined }
    const step = sequence.run(() => this.#apply(attempt))
    this.#pending.add(step)
    const settle = (): void => {
      this.#pending.delete(step)
      this.#cache.give(key, sequence)
    }
    step.then(settle, settle)
    return untilAborted(step, request.signal)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#pending)
    this.#connection.close()
  }

  async #apply(attempt: Attempt): Promise<StepResult> {
    const { request, key, sequence } = attempt
    // The start of a sequence is most often its first record: the script finds out if it is not.
    let mustRead = !sequence.record && !request.start
    let record = sequence.record && decodeRecord(sequence.record)
    let isCurrent = false
    for (let races = 0, breaks = 0; races < mostRaces; ) {
      try {
        if (mustRead) {
          record = this.#found(attempt, await this.#commands.read(key), record)
          isCurrent = true
          mustRead = false
        }
        request.signal?.throwIfAborted()
        const earlier = this.#earlier(attempt, record)
        if (earlier) return earlier
        const refusal = refusalOf(request, living(record))
        if (refusal && isCurrent) throw refusal
        // What another replica has done since may be what the step follows.
        if (refusal) mustRead = true
        else {
          const found = await this.#write(attempt, record)
          if (isResult(found)) return found
          record = this.#found(attempt, found, record)
          isCurrent = true
          races++
          this.#statistics.races++
        }
      } catch (error) {
        if (!(error instanceof ConnectionLostError)) throw error
        mustRead = true
        await this.#reconnected(attempt, error, ++breaks)
      }
    }
    throw new SequenceConflictError(
      `sequence ${request.sequenceId} of ${request.model.name}: others were faster ${mostRaces} times`,
      { isRetryable: true },
    )
  }

  /** @throws {StateUnavailableError} if there is no new connection in time, or connections keep breaking */
  async #reconnected({ unsure }: Attempt, error: ConnectionLostError, breaks: number): Promise<void> {
    const reason =
      breaks < mostBreaks
        ? await this.#connection.whenReady().catch((unavailable) => unavailable as Error)
        : new Error(`the connection to Redis broke ${breaks} times in this step: ${error.message}`)
    if (!reason) return
    throw new StateUnavailableError(
      unsure ? `${reason.message}; whether the step was applied is not known` : reason.message,
      { isOutcomeUnknown: unsure !== undefined, cause: reason },
    )
  }

  /** The answer where the request has been applied, be it by another process. */
  #earlier({ request, mark, unsure }: Attempt, record: SequenceRecord | undefined): StepResult | undefined {
    if (!record || !isRemembered(mark, record)) return undefined
    const hasId = request.requestId !== undefined
    if (!isLast(mark, record) && hasId) {
      throw new SequenceConflictError(
        `sequence ${request.sequenceId} of ${request.model.name}: the request ${request.requestId} was applied, ` +
          'and others after it; its response is no longer stored',
      )
    }
    // Without an id the mark is this process's own, and nobody but it has the response.
    const isOwn = unsure !== undefined && (!hasId || record.token.equals(unsure.token))
    if (isOwn) this.#statistics.steps++
    else this.#statistics.replays++
    return isOwn ? unsure.result : { output: record.response!, step: record.steps - 1, isReplay: true }
  }

  /** 2 and 3: the result, or what stands there instead. */
  async #write(
    attempt: Attempt,
    record: SequenceRecord | undefined,
  ): Promise<StepResult | Buffer | undefined> {
    const { request, key, sequence, mark } = attempt
    const { model, x, start, end, signal, priority } = request
    const before = start ? undefined : living(record)
    const state = before ? before.state! : null
    const timeout = timeLeft(request, attempt.deadline)
    const { output, state: stateAfter } = await model.batcher.predict(x, { state, signal, timeout, priority })
    const step = before ? before.steps : 0
    const token = randomToken()
    const successor = encodeRecord({
      token,
      isEnded: end,
      steps: step + 1,
      fingerprint: model.fingerprint,
      stateLayout: model.stateLayout,
      state: end ? undefined : stateAfter,
      response: request.requestId === undefined ? undefined : output,
      startMark: before ? before.startMark : mark,
      marks: remember(mark, record?.marks),
    })
    const result = { output, step, isReplay: false }
    const life = end ? Math.min(endRemembered, this.#maxSequenceIdle) : this.#maxSequenceIdle
    const found = await this.#commands.replace(key, record?.token, successor, life).catch((error) => {
      if (error instanceof ConnectionLostError && error.wasSent) attempt.unsure = { result, token }
      throw error
    })
    if (found !== true) return found
    sequence.record = successor
    this.#statistics.steps++
    if (before && before.fingerprint !== model.fingerprint) this.#statistics.reloads++
    return result
  }

  /** Keeps and reads what Redis holds. @throws {SequenceConflictError} if this process knows of more acknowledged steps */
  #found(
    { request, sequence }: Attempt,
    bytes: Buffer | undefined,
    known: SequenceRecord | undefined,
  ): SequenceRecord | undefined {
    sequence.record = bytes
    const found = bytes && decodeRecord(bytes)
    if (found && known && found.startMark.equals(known.startMark) && found.steps < known.steps) {
      throw new SequenceConflictError(
        `sequence ${request.sequenceId} of ${request.model.name}: Redis has lost acknowledged steps: it holds ` +
          `${found.steps}, ${known.steps} had been applied; start it anew, or go on from there`,
      )
    }
    return found
  }
}

function living(record: SequenceRecord | undefined): SequenceRecord | undefined {
  return record?.isEnded ? undefined : record
}

function isResult(found: StepResult | Buffer | undefined): found is StepResult {
  return found !== undefined && !Buffer.isBuffer(found)
}
