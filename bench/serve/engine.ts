/**
 * An engine in a process of its own that answers messages: many callers at once, each of whom waits for a result before
 * asking again.
 *
 *     node engine.js OPTIONS     a JSON object, EngineOptions of engines.ts
 */
import { Random } from '../../lib/random.ts'
import { draw } from './draw.ts'
import { type Call, createEngine } from './engines.ts'
import { type Percentiles, percentilesOf } from './percentiles.ts'

export interface Task {
  /** `results` is no measurement: three steps of a stream and a sequence, to compare with those of another engine. */
  kind: 'steps' | 'sequences' | 'kernel' | 'results'
  callers: number
  seconds: number
}

export interface TaskResult extends Percentiles {
  /** Steps or sequences a second. */
  throughput: number
  batchSize: number
}

export interface Results {
  outputs: number[]
}

const { network, sequenceLength, ...options } = JSON.parse(process.argv[2])
const engine = await createEngine({ ...options, network })
const streams: Call[] = []
const sequences: Call[] = []
const kernels = new Map<number, () => void>()
const random = new Random(2025)

function callsFor({ kind, callers }: Task): Call[] {
  const [calls, T] = kind === 'steps' ? [streams, 1] : [sequences, sequenceLength]
  while (calls.length < callers) {
    const x = draw(random, T * network.inputSize)
    calls.push(kind === 'steps' ? engine.stream(x) : engine.sequence(x, T))
  }
  return calls.slice(0, callers)
}

async function measure(task: Task): Promise<TaskResult> {
  const calls = callsFor(task)
  const latencies: number[] = []
  engine.batchSize()
  const start = performance.now()
  const end = start + task.seconds * 1000
  await Promise.all(
    calls.map(async (call) => {
      for (let before = performance.now(); before < end; ) {
        await call()
        const after = performance.now()
        latencies.push(after - before)
        before = after
      }
    }),
  )
  return summary(latencies, performance.now() - start, engine.batchSize())
}

/** The event loop has a turn now and then, for messages; the calls themselves leave it none. */
async function measureKernel({ callers, seconds }: Task): Promise<TaskResult> {
  if (!kernels.has(callers)) kernels.set(callers, engine.kernel!(callers))
  const call = kernels.get(callers)!
  const latencies: number[] = []
  const start = performance.now()
  const end = start + seconds * 1000
  for (let before = start; before < end; ) {
    call()
    const after = performance.now()
    latencies.push(after - before)
    before = after
  }
  const { throughput, ...rest } = summary(latencies, performance.now() - start, callers)
  return { ...rest, throughput: throughput * callers }
}

/** @param milliseconds that all of it took */
function summary(latencies: readonly number[], milliseconds: number, batchSize: number): TaskResult {
  const seconds = latencies.map((each) => each / 1000)
  return { throughput: latencies.length / (milliseconds / 1000), batchSize, ...percentilesOf(seconds) }
}

async function results(): Promise<Results> {
  const inputs = new Random(3)
  const stream = engine.stream(draw(inputs, network.inputSize))
  const sequence = engine.sequence(draw(inputs, sequenceLength * network.inputSize), sequenceLength)
  const outputs: number[] = []
  for (const call of [stream, stream, stream, sequence]) outputs.push(...(await call()))
  return { outputs }
}

process.on('message', async (task: Task) => {
  try {
    if (task.kind === 'results') process.send!(await results())
    else process.send!(await (task.kind === 'kernel' ? measureKernel(task) : measure(task)))
  } catch (error) {
    process.send!({ failure: (error as Error).stack })
  }
})
