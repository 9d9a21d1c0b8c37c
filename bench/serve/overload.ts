/** Ten times as many requests as the server can answer: what it refuses, how fast, and what becomes of the rest. */
import { formatSeconds, threeDigits } from '../table.ts'
import type { Figure } from './figures.ts'
import { type LoadResult, type Records, runLoad } from './load.ts'
import { largeNetwork, sequenceLength, writeModel } from './network.ts'
import { percentilesOf } from './percentiles.ts'
import { sequenceScripts } from './requests.ts'
import { startService } from './service.ts'
import type { Settings } from './settings.ts'
import { latenciesWhere, summarise } from './summary.ts'

/** How many times what the server can do is offered. */
const surplus = 10
/** Of the server, in ms. */
const timeout = 1000
/** Requests that wait are given half of the timeout: what is computed at that moment, and the machine's moods, need the rest. */
const queuedShare = 0.5
/** Of an ordinary load, to what the server can do. */
const ordinary = 0.5
const ordinarySeconds = 6
/** After which the server must be back to normal. */
const recoverySeconds = 2
/** For what waits and what is being refused, with room for a server that is slow to refuse. */
const connections = 1024
const capacityConnections = 64

const ok = 200
const unavailable = 503

export interface OverloadMeasurement {
  /** Requests a second. */
  capacity: number
  offered: number
  maxQueueSize: number
  statuses: Record<string, number>
  /** Seconds. */
  refusedP99: number
  acceptedP99: number
  withoutRetryAfter: number
  /** Bytes. */
  resident: { fullLoad: number; overload: number }
  /** p99 in seconds, of the same arrivals before the surplus and from two seconds after it. */
  before: number
  after: number
  /** Of the requests that came later than two seconds after the surplus. */
  failedAfter: number
  eventLoopP99: number
}

export async function measureOverload({ seconds, overloadSeconds }: Settings): Promise<OverloadMeasurement> {
  const files = await writeModel(largeNetwork)
  const scriptsFor = (count: number) =>
    sequenceScripts({
      connections: count,
      inputSize: largeNetwork.inputSize,
      steps: sequenceLength,
    })
  const start = (options: readonly string[]) =>
    startService('lstm-native', { files, network: largeNetwork, options })
  try {
    const free = await start([])
    const closed = { port: free.port, scripts: scriptsFor(capacityConnections) }
    await runLoad({ ...closed, seconds: 1 })
    const { throughput: capacity } = summarise(await runLoad({ ...closed, seconds: seconds / 3 }))
    await free.stop()
    if (capacity === 0)
      throw new Error('overload: the server answered nothing while its capacity was measured')

    const maxQueueSize = Math.max(1, Math.floor((queuedShare * capacity * timeout) / 1000))
    const service = await start(['--timeout', String(timeout), '--max-queue-size', String(maxQueueSize)])
    try {
      const { port } = service
      await service.begin()
      // As many as the server takes without refusing any, for as long as the heap grows.
      await runLoad({ port, scripts: scriptsFor(maxQueueSize), seconds })
      const fullLoad = (await service.end()).resident.peak
      const normal = { rate: ordinary * capacity, seconds: ordinarySeconds }
      const quiet = await runLoad({ port, scripts: scriptsFor(connections), phases: [normal] })
      await service.begin()
      const phases = [{ rate: surplus * capacity, seconds: overloadSeconds }, normal]
      const { records } = await runLoad({ port, scripts: scriptsFor(connections), phases, seed: 2 })
      const { resident, eventLoop } = await service.end()
      const isSurplus = (i: number) => records.start[i] < overloadSeconds
      const isLate = (i: number) => records.start[i] >= overloadSeconds + recoverySeconds
      const during = (status: number) => p99(records, (i) => isSurplus(i) && records.status[i] === status)
      const measurement: OverloadMeasurement = {
        capacity,
        offered: surplus * capacity,
        maxQueueSize,
        statuses: countWhere(records, isSurplus),
        refusedP99: during(unavailable),
        acceptedP99: during(ok),
        withoutRetryAfter: records.status.filter(
          (status, i) => status === unavailable && !records.hasRetryAfter[i],
        ).length,
        resident: { fullLoad, overload: resident.peak },
        before: p99OfAnswered(quiet),
        after: p99(records, (i) => isLate(i) && records.status[i] === ok),
        failedAfter: records.status.filter((status, i) => isLate(i) && status !== ok).length,
        eventLoopP99: eventLoop.p99,
      }
      console.log(`\n${describe(measurement)}`)
      return measurement
    } finally {
      await service.stop()
    }
  } finally {
    files.remove()
  }
}

function p99(records: Records, holds: (i: number) => boolean): number {
  return percentilesOf(latenciesWhere(records, holds)).p99
}

function p99OfAnswered({ records }: LoadResult): number {
  return p99(records, (i) => records.status[i] === ok)
}

function countWhere({ status }: Records, holds: (i: number) => boolean): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < status.length; i++) if (holds(i)) counts[status[i]] = (counts[status[i]] ?? 0) + 1
  return counts
}

function describe(measured: OverloadMeasurement): string {
  const { capacity, offered, maxQueueSize, statuses, refusedP99, acceptedP99, before, after } = measured
  const counts = Object.entries(statuses).map(([status, count]) => `${count} of status ${status}`)
  return [
    `Overload: sequences of ${sequenceLength} steps, H ${largeNetwork.hiddenSize}; the server can do ${threeDigits(capacity)}/s and is offered ${threeDigits(offered)}/s, ` +
      `with --timeout ${timeout} and --max-queue-size ${maxQueueSize}`,
    `  ${counts.join(', ')}`,
    `  p99 of the refused ${formatSeconds(refusedP99)}, of the accepted ${formatSeconds(acceptedP99)}, ` +
      `of the event loop ${formatSeconds(measured.eventLoopP99)}`,
    `  p99 at half of what it can do: before ${formatSeconds(before)}, from ${recoverySeconds} s after ${formatSeconds(after)}`,
  ].join('\n')
}

/** Point 4. */
export function overloadFigures(measured: OverloadMeasurement): Figure[] {
  const { statuses, resident } = measured
  const others = Object.entries(statuses).filter(
    ([status]) => ![String(ok), String(unavailable)].includes(status),
  )
  const figure = (name: string, value: number, asked: number, unit = ''): Figure => ({
    point: 4,
    name: `overload: ${name}`,
    value,
    asked,
    bound: 'at most',
    unit,
  })
  return [
    figure('p99 of refusals with 503', measured.refusedP99 * 1000, 10, 'ms'),
    figure('refusals without Retry-After', measured.withoutRetryAfter, 0),
    figure(
      'neither answered nor refused',
      others.reduce((sum, [, count]) => sum + count, 0),
      0,
    ),
    figure('p99 of accepted requests', measured.acceptedP99 * 1000, timeout, 'ms'),
    figure('resident set, to that at full load', (resident.overload / resident.fullLoad) * 100, 120, '%'),
    figure(`not answered from ${recoverySeconds} s after it`, measured.failedAfter, 0),
    figure(
      `p99 from ${recoverySeconds} s after it, to that before`,
      measured.after / measured.before,
      2,
      'x',
    ),
  ]
}
