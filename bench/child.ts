/** The bench's end of the line to a contender's process. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { contenders } from './contenders/contender.ts'
import type { PrepareReply, PrepareRequest, TimeReply, TimeRequest } from './protocol.ts'

/** A running contender. Its number of threads is fixed by the environment it is started with. */
export class Child {
  readonly name: string
  readonly #process: ChildProcessWithoutNullStreams
  readonly #replies: AsyncIterator<string>
  readonly #exited: Promise<unknown>
  #complaints = ''

  constructor(name: string, { threads }: { threads: number }) {
    this.name = name
    const { module } = contenders[name]
    const here = import.meta.dirname
    const [program, args] = module.endsWith('.py')
      ? [process.env.BENCH_PYTHON ?? 'python3', ['-u', join(here, 'contenders', module)]]
      : [process.execPath, ['--expose-gc', ...process.execArgv, join(here, 'worker.ts'), name]]
    const count = String(threads)
    const env = { ...process.env, LSTM_NATIVE_THREADS: count, OMP_NUM_THREADS: count, MKL_NUM_THREADS: count }
    this.#process = spawn(program, args, { env })
    this.#process.stderr.on('data', (text) => {
      this.#complaints = (this.#complaints + text).slice(-2000)
    })
    this.#exited = new Promise((resolve) => {
      this.#process.on('close', resolve)
      this.#process.on('error', (error) => {
        this.#complaints += String(error)
        resolve(error)
      })
    })
    // A process that ended cannot be written to; ask() reports that it ended, with its last words.
    this.#process.stdin.on('error', () => {})
    this.#replies = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  prepare(request: Omit<PrepareRequest, 'command'>): Promise<PrepareReply> {
    return this.#ask({ command: 'prepare', ...request }) as Promise<PrepareReply>
  }

  time(request: Omit<TimeRequest, 'command'>): Promise<TimeReply> {
    return this.#ask({ command: 'time', ...request }) as Promise<TimeReply>
  }

  async #ask(request: PrepareRequest | TimeRequest): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#replies.next()
    if (!done) return JSON.parse(value)
    await this.#exited
    throw new Error(`${this.name}: its process ended: ${lastWords(this.#complaints)}`)
  }

  /** Ends the process and waits until it is gone. */
  async end(): Promise<void> {
    this.#process.stdin.end()
    await this.#exited
  }
}

/** The line of a stack trace that says what went wrong: the first of Node, the last of Python. */
function lastWords(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  return lines.find((line) => /^(\w*Error|Uncaught)\b/.test(line)) ?? lines.at(-1) ?? 'it said nothing'
}
