/** A child process of the bench that answers messages, one at a time. */
import { type ChildProcess, type ForkOptions, fork } from 'node:child_process'

const lastWordsLength = 2000
const endsWithin = 60_000

export class Measured {
  readonly name: string
  readonly #process: ChildProcess
  #words = ''

  /**
   * @param name for messages
   * @param program a JavaScript file
   */
  constructor(name: string, program: string, args: readonly string[], options: ForkOptions = {}) {
    this.name = name
    this.#process = fork(program, args, {
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      ...options,
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (text) => {
        this.#words = (this.#words + text).slice(-lastWordsLength)
      })
    }
  }

  get pid(): number {
    return this.#process.pid!
  }

  get hasExited(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** The last that it wrote to its outputs. */
  get lastWords(): string {
    return this.#words.trim()
  }

  /** @throws {Error} if the process ends instead of answering */
  ask<Answer>(request: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const onMessage = (answer: Answer | { failure: string }): void => {
        this.#process.off('exit', onExit)
        if (typeof answer === 'object' && answer !== null && 'failure' in answer) {
          reject(new Error(`${this.name}: ${answer.failure}`))
        } else resolve(answer)
      }
      const onExit = (): void => {
        this.#process.off('message', onMessage)
        reject(new Error(`${this.name}: its process ended: ${this.lastWords || 'it said nothing'}`))
      }
      if (this.hasExited) return onExit()
      this.#process.once('message', onMessage)
      this.#process.once('exit', onExit)
      this.#process.send(request as object)
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /**
   * Sends the signal and waits until the process is gone; one that does not end within a minute is killed.
   *
   * @returns its exit code; null if a signal ended it
   */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.hasExited) {
      const exited = new Promise((resolve) => this.#process.once('exit', resolve))
      const kill = setTimeout(() => this.#process.kill('SIGKILL'), endsWithin)
      this.#process.kill(signal)
      await exited
      clearTimeout(kill)
    }
    return this.#process.exitCode
  }
}
