/**
 * A replica of a server as far as sequences go: takes steps of its parent's, each `{ number, sequence, step, requestId }`, through a
 * store in Redis, and answers `{ number, values, isReplay }` or `{ number, code, isRetryable }`: `tsx replica-program.ts URL`.
 */
import { RedisStore } from '../../lib/serve/sequences/redis.ts'
import type { SequenceError } from '../../lib/serve/sequences/store.ts'
import { sequenceModel, take } from './sequences.ts'

export interface ReplicaRequest {
  number: number
  sequence: number
  step: number
  requestId: string
}

export interface ReplicaAnswer {
  number: number
  values?: number[]
  isReplay?: boolean
  code?: string
  message?: string
  isRetryable?: boolean
}

const [, , url] = process.argv
const store = await RedisStore.open({ url, maxSequenceIdle: 600_000 })
const model = sequenceModel()

process.on('message', async ({ number, sequence, step, requestId }: ReplicaRequest) => {
  let answer: ReplicaAnswer
  try {
    // Every other sequence counts its steps besides.
    const counted = sequence % 2 === 1 ? step : undefined
    const { values, isReplay } = await take(store, model, sequence, step, { requestId, step: counted })
    answer = { number, values, isReplay }
  } catch (error) {
    const { code, message, isRetryable } = error as SequenceError
    answer = { number, code, message, isRetryable }
  }
  process.send!(answer)
})
process.on('disconnect', () => process.exit())
process.send!('ready')
