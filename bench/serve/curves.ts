/**
 * How sizes, threads and delays move a batcher, without HTTP: the tables of docs/serving.md. A process of its own, as an
 * engine is:
 *
 *     node curves.js SECONDS     of each row
 */

import { Batcher, compile, setThreads } from '../../lib/index.ts'
import { Random } from '../../lib/random.ts'
import { formatSeconds, formatTable, threeDigits } from '../table.ts'
import { draw } from './draw.ts'
import { createModel, network } from './network.ts'
import { percentilesOf } from './percentiles.ts'

const seconds = Number(process.argv[2])
const plan = compile(createModel(network))
const random = new Random(1)

/** Each of so many streams asks for its next step when it has the last. */
async function closedLoop(batcher: Batcher, streams: number): Promise<string[]> {
  const latencies: number[] = []
  const begin = performance.now()
  const end = begin + seconds * 1000
  await Promise.all(
    Array.from({ length: streams }, async () => {
      const stream = batcher.stream()
      const x = draw(random, network.inputSize)
      for (let before = performance.now(); before < end; ) {
        await stream.next(x)
        const after = performance.now()
        latencies.push((after - before) / 1000)
        before = after
      }
      stream.close()
    }),
  )
  return row(batcher, latencies, begin)
}

/** Steps of streams that are free come at random times, so many a second on average. */
async function openLoop(batcher: Batcher, rate: number): Promise<string[]> {
  const latencies: number[] = []
  const x = draw(random, network.inputSize)
  const free = Array.from({ length: 1000 }, () => batcher.stream())
  const begin = performance.now()
  const pending: Promise<void>[] = []
  let next = begin
  while (next < begin + seconds * 1000) {
    const now = performance.now()
    while (next <= now) {
      const came = next
      next += (-Math.log(1 - random.uniform()) / rate) * 1000
      const stream = free.pop()
      if (!stream) continue
      const answered = stream.next(x).then(() => {
        latencies.push((performance.now() - came) / 1000)
        free.push(stream)
      })
      pending.push(answered)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(pending)
  return row(batcher, latencies, begin)
}

function row(batcher: Batcher, latencies: readonly number[], begin: number): string[] {
  const { p50, p99 } = percentilesOf(latencies)
  const { requests, batches } = batcher.statistics
  const rate = latencies.length / ((performance.now() - begin) / 1000)
  return [`${rate.toFixed(0)}/s`, threeDigits(requests / batches), formatSeconds(p50), formatSeconds(p99)]
}

const header = ['steps', 'batch', 'p50', 'p99']

async function table(name: string, of: string, rows: [string, () => Promise<string[]>][]): Promise<void> {
  const cells: string[][] = []
  for (const [label, measure] of rows) cells.push([label, ...(await measure())])
  console.log(`\n${name}\n${formatTable([of, ...header], cells)}`)
}

await closedLoop(new Batcher(plan), 64)
await table(
  '1,000 streams, by maxBatchSize',
  'rows',
  [1, 4, 16, 64, 256].map((maxBatchSize) => [
    String(maxBatchSize),
    () => closedLoop(new Batcher(plan, { maxBatchSize }), 1000),
  ]),
)
await table(
  'batches of up to 64, by streams',
  'streams',
  [1, 4, 16, 64, 256, 1000].map((count) => [String(count), () => closedLoop(new Batcher(plan), count)]),
)
for (const threads of [1, 2]) {
  await table(
    `5,000 steps a second at random times, ${threads} threads, by maxQueueDelayMicroseconds`,
    'delay',
    [0, 200, 1000, 5000].map((delay) => [
      String(delay),
      () => {
        setThreads(threads)
        return openLoop(new Batcher(plan, { maxQueueDelayMicroseconds: delay }), 5000)
      },
    ]),
  )
}
