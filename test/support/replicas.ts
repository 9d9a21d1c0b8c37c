/** Replicas in processes of their own, and a client that asks another one when one dies. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ReplicaAnswer, ReplicaRequest } from './replica-program.ts'

export class Replica {
  readonly #child: ChildProcess
  readonly #waiting = new Map<
    number,
    { resolve: (answer: ReplicaAnswer) => void; reject: (e: Error) => void }
  >()
  isAlive = true
  #number = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (answer: ReplicaAnswer) => {
      this.#waiting.get(answer.number)?.resolve(answer)
      this.#waiting.delete(answer.number)
    })
    child.on('exit', () => {
      this.isAlive = false
      for (const { reject } of this.#waiting.values()) reject(new Error('the replica died'))
      this.#waiting.clear()
    })
  }

  static async start(url: string): Promise<Replica> {
    const program = join(import.meta.dirname, 'replica-program.ts')
    const child = fork(program, [url], { execArgv: ['--import', 'tsx'] })
    const [message] = await once(child, 'message')
    if (message !== 'ready') throw new Error(`replica: expected it to be ready, got ${message}`)
    return new Replica(child)
  }

  /** Requests without an answer. */
  get inFlight(): number {
    return this.#waiting.size
  }

  /** @throws {Error} if it dies before it answers */
  ask(request: Omit<ReplicaRequest, 'number'>): Promise<ReplicaAnswer> {
    return new Promise((resolve, reject) => {
      const number = this.#number++
      if (!this.isAlive) return reject(new Error('the replica is dead'))
      this.#waiting.set(number, { resolve, reject })
      this.#child.send({ number, ...request }, (error) => error && reject(error))
    })
  }

  async kill(): Promise<void> {
    if (!this.isAlive) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}
