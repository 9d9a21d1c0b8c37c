/** Replicas and Redis killed in the middle of thousands of sequences: no acknowledged step is lost, none is applied twice. */

import { createClient, RESP_TYPES } from '@redis/client'
import { Tensor } from 'lstm-native'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { decodeRecord, ownBytes } from '../lib/serve/sequences/record.ts'
import { durable, RedisServer, redisMissing } from './support/redis.ts'
import type { ReplicaAnswer } from './support/replica-program.ts'
import { Replica } from './support/replicas.ts'
import { features, input, sequenceModel } from './support/sequences.ts'

/** `npm run soak` drives all of them; `npm test` a twentieth. */
const isFull = process.env.SOAK === 'full'
const [sequences, steps] = isFull ? [10_000, 20] : [500, 12]

let server: RedisServer
const replicas: Replica[] = []
beforeAll(async () => {
  if (redisMissing) return
  server = await RedisServer.start(durable)
  replicas.push(...(await Promise.all([1, 2, 3].map(() => Replica.start(server.url)))))
})
afterAll(async () => {
  await Promise.all(replicas.map((each) => each.kill()))
  await server?.stop()
})

/** Of all sequences together: outputs of each step and the final states, by one plan and nothing else. */
function undisturbed(): { outputs: number[][][]; states: Tensor } {
  const { plan } = sequenceModel()
  const outputs: number[][][] = []
  let state: Tensor | null = null
  for (let step = 0; step < steps; step++) {
    const x = new Float32Array(sequences * features)
    for (let i = 0; i < sequences; i++) x.set(input(i, step).array, i * features)
    const result: { output: Tensor; state: Tensor } = plan.predictSync(
      new Tensor([sequences, 1, features], x),
      { state },
    )
    state = result.state
    outputs.push((result.output.toArray() as number[][][]).map(([row]) => row))
  }
  return { outputs, states: state! }
}

/** The states that Redis holds, [sequences, stateSize], and how many steps have made them. */
async function statesInRedis(stateSize: number): Promise<{ states: Float32Array; steps: Set<number> }> {
  const client = createClient({ url: server.url, RESP: 2 })
  await client.connect()
  const states = new Float32Array(sequences * stateSize)
  const counts = new Set<number>()
  const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer }
  await Promise.all(
    Array.from({ length: sequences }, async (_, i) => {
      const bytes = await client.sendCommand<Buffer>(['GET', `lstm:sequence:small:${i}`], { typeMapping })
      const record = decodeRecord(ownBytes(bytes))
      states.set(record.state!.array, i * stateSize)
      counts.add(record.steps)
    }),
  )
  client.destroy()
  return { states, steps: counts }
}

it.skipIf(redisMissing)(
  `${sequences} sequences of ${steps} steps come through the deaths of two of three replicas and of Redis${redisMissing ? `: ${redisMissing}` : ''}`,
  { timeout: 600_000 },
  async () => {
    const expected = undisturbed()
    const total = sequences * steps
    let [acknowledged, retries, replays, wrong] = [0, 0, 0, 0]
    const notes: string[] = []

    /** What happens when so many steps have been acknowledged. */
    const killReplica = async (): Promise<void> => {
      const first = replicas.find(({ isAlive }) => isAlive)!
      notes.push(`a replica killed at ${acknowledged} steps with ${first.inFlight} under way`)
      await first.kill()
    }
    const killRedis = async (): Promise<void> => {
      notes.push(`Redis killed at ${acknowledged} steps`)
      await server.kill('SIGKILL')
      await server.run()
    }
    const faults = [
      { at: total * 0.25, happen: killReplica },
      { at: total * 0.5, happen: killRedis },
      { at: total * 0.75, happen: killReplica },
    ]
    const happening: Promise<void>[] = []

    const duplicates: Promise<void>[] = []
    const ignore = (): void => {}
    const check = (
      { values }: ReplicaAnswer,
      { sequence, step }: { sequence: number; step: number },
    ): void => {
      const due = expected.outputs[step][sequence]
      if (values && !values.every((value, i) => Object.is(value, due[i]))) wrong++
    }
    const drive = async (sequence: number): Promise<void> => {
      for (let step = 0; step < steps; step++) {
        for (let attempt = 0; ; attempt++) {
          const replica = replicas[(sequence + attempt) % replicas.length]
          const request = { sequence, step, requestId: `${sequence} ${step}` }
          // A proxy that lost patience, now and then: its answer comes to nobody, late or never.
          if ((sequence + step) % 20 === 0) {
            const other = replicas[(sequence + attempt + 1) % replicas.length]
            duplicates.push(other.ask(request).then((answer) => check(answer, request), ignore))
          }
          const answer = await replica.ask(request).catch(() => ({ isRetryable: true }) as const)
          if ('values' in answer) {
            acknowledged++
            if (answer.isReplay) replays++
            check(answer, request)
            break
          }
          if (!answer.isRetryable) throw new Error(`sequence ${sequence}: ${JSON.stringify(answer)}`)
          retries++
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
        if (faults.length > 0 && acknowledged >= faults[0].at) happening.push(faults.shift()!.happen())
      }
    }
    const since = performance.now()
    await Promise.all(Array.from({ length: sequences }, (_, sequence) => drive(sequence)))
    const seconds = (performance.now() - since) / 1000
    await Promise.all([...happening, ...duplicates])

    const { states, steps: counts } = await statesInRedis(expected.states.shape[1])
    console.log(
      [
        ...notes,
        `${acknowledged} steps in ${seconds.toFixed(1)} s, ${retries} retries, ${duplicates.length} duplicates, ` +
          `${replays} answered by a stored response`,
      ].join('\n'),
    )
    expect(notes.length).toBe(3)
    expect(acknowledged).toBe(total)
    expect(wrong).toBe(0)
    expect(retries).toBeGreaterThan(0)
    expect([...counts]).toEqual([steps])
    expect(Buffer.from(states.buffer).equals(Buffer.from(expected.states.data.buffer))).toBe(true)
  },
)
