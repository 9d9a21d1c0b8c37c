/**
 * One connection to Redis, kept up: made anew, with growing pauses, when it breaks or when replies stop coming. Nothing is
 * queued while there is none, so that nothing grows: a command sent then fails at once, as does one that was under way when the
 * connection broke, of which nobody can tell whether Redis has run it.
 */
import { createClient, ErrorReply, RESP_TYPES, type RedisArgument } from '@redis/client'
import { SequenceLimitError, StateUnavailableError } from './store.ts'

/** There is no connection, or it broke before the reply: the command was run or not. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError'
  /** False: it was not run. */
  readonly wasSent: boolean

  constructor(message: string, { wasSent, cause }: { wasSent: boolean; cause?: unknown }) {
    super(message, { cause })
    this.wasSent = wasSent
  }
}

export interface ConnectionOptions {
  /** `redis[s]://[[user]:password@]host[:port][/database]` */
  url: string
  /** Ms without a reply to anything after which the connection counts as broken. */
  replyTimeout: number
  /** Ms after a break for which `whenReady` still waits. */
  patience: number
}

type Client = ReturnType<typeof createClient>

const shortestPause = 20
const longestPause = 2_000
const watchInterval = 250
const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer }

export class RedisConnection {
  readonly #options: ConnectionOptions
  readonly #watch: NodeJS.Timeout
  #client: Client | undefined
  #isClosed = false
  #brokenAt = performance.now()
  #lastError: Error | undefined
  #waiting = new Set<() => void>()
  #pending = 0
  #heardAt = 0
  #watchedAt = performance.now()
  /** Ends a pause or an attempt to connect. */
  #interrupt: (() => void) | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#watch = setInterval(() => this.#lookAfter(), watchInterval)
    this.#watch.unref()
    void this.#keepUp()
  }

  get isReady(): boolean {
    return this.#client !== undefined
  }

  /**
   * Resolves at once where there is a connection, and waits for one for `patience` ms from when it broke.
   *
   * @param patience default: that of the options
   * @throws {StateUnavailableError} if there is none by then
   */
  async whenReady(patience = this.#options.patience): Promise<void> {
    while (!this.#client) {
      const left = this.#brokenAt + patience - performance.now()
      if (this.#isClosed || left <= 0) throw this.#unavailable()
      await new Promise<void>((resolve) => {
        const go = (): void => {
          clearTimeout(timer)
          this.#waiting.delete(go)
          resolve()
        }
        const timer = setTimeout(go, left)
        this.#waiting.add(go)
      })
    }
  }

  /**
   * Sends a command. Commands of one turn of the event loop travel together.
   *
   * @returns bulk strings as Buffers
   * @throws {ConnectionLostError} if there is no connection, or it breaks before the reply
   * @throws {StateUnavailableError} if Redis refuses to serve now
   * @throws {SequenceLimitError} if Redis is out of memory
   * @throws {ErrorReply} NOSCRIPT, for the caller to act upon
   */
  async send(command: readonly RedisArgument[]): Promise<unknown> {
    const client = this.#client
    if (!client) throw new ConnectionLostError('no connection to Redis', { wasSent: false })
    if (this.#pending++ === 0) this.#heardAt = performance.now()
    try {
      return await client.sendCommand(command, { typeMapping })
    } catch (error) {
      throw this.#translate(error as Error, client)
    } finally {
      this.#pending--
      this.#heardAt = performance.now()
    }
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#watch)
    this.#drop(new Error('the store is closed'))
    this.#interrupt?.()
  }

  async #keepUp(): Promise<void> {
    for (let failures = 0; !this.#isClosed; failures++) {
      const client = newClient(this.#options.url)
      const broken = new Promise<Error>((resolve) => client.once('error', resolve))
      // The client tells an error twice, by the event and by the promise.
      client.on('error', () => {})
      try {
        await this.#connect(client)
        if (this.#isClosed) return
        failures = 0
        this.#client = client
        for (const go of this.#waiting) go()
        this.#drop(await broken)
      } catch (error) {
        this.#lastError = error as Error
      } finally {
        client.destroy()
      }
      if (!this.#isClosed) await this.#pause(failures)
    }
  }

  /** A Redis that is reading its files in answers, but not with PONG. */
  async #connect(client: Client): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const interrupted = new Promise<never>((_, reject) => {
      const error = new Error(`no answer for ${this.#options.replyTimeout} ms`)
      timer = setTimeout(() => reject(error), this.#options.replyTimeout)
      this.#interrupt = () => reject(error)
    })
    try {
      await Promise.race([client.connect().then(() => client.sendCommand(['PING'])), interrupted])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Doubles from failure to failure; replicas that lost the same Redis do not come back all at once. */
  #pause(failures: number): Promise<void> {
    const pause = Math.min(shortestPause * 2 ** failures, longestPause) * (0.5 + Math.random() / 2)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause)
      this.#interrupt = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Rejects what is under way and lets `#keepUp` make another. */
  #drop(reason: Error): void {
    const client = this.#client
    this.#client = undefined
    this.#lastError = reason
    if (!client) return
    this.#brokenAt = performance.now()
    client.destroy()
    client.emit('error', reason)
  }

  #lookAfter(): void {
    const now = performance.now()
    // A process that was stopped or busy has not read what may long have come.
    const wasAsleep = now - this.#watchedAt > 2 * watchInterval
    this.#watchedAt = now
    if (!this.#client || wasAsleep) {
      this.#heardAt = now
      return
    }
    if (this.#pending > 0 && now - this.#heardAt > this.#options.replyTimeout) {
      this.#drop(new Error(`no reply for ${this.#options.replyTimeout} ms`))
    } else if (this.#pending === 0) {
      this.send(['PING']).catch((error) => {
        this.#lastError = error
      })
    }
  }

  #translate(error: Error, client: Client): Error {
    if (!(error instanceof ErrorReply))
      return new ConnectionLostError(error.message, { wasSent: true, cause: error })
    const { message } = error
    if (message.startsWith('NOSCRIPT')) return error
    if (message.startsWith('OOM')) return new SequenceLimitError(`Redis has no room for a state: ${message}`)
    // Now a replica of another master: a new connection may find that one.
    if (message.startsWith('READONLY') && client === this.#client) this.#drop(error)
    return new StateUnavailableError(`Redis refused a command: ${message}`, { cause: error })
  }

  #unavailable(): StateUnavailableError {
    const reason = this.#lastError ? `: ${this.#lastError.message || this.#lastError}` : ''
    return new StateUnavailableError(`no connection to the Redis that holds the states${reason}`, {
      cause: this.#lastError,
    })
  }
}

function newClient(url: string): Client {
  return createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    commandOptions: { timeout: undefined },
    socket: { reconnectStrategy: false },
  }) as unknown as Client
}
