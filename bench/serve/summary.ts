/** What a run's records come to: counts by status, throughput and exact percentiles. */
import type { LoadResult, Records } from './load.ts'
import { type Percentiles, percentilesOf } from './percentiles.ts'

export interface Summary extends Percentiles {
  /** How many requests there were of each status; 0 for those without an answer. */
  statuses: Record<string, number>
  /** Answers with status 200 a second, as far as they came before the run ended. */
  throughput: number
  /** Processor time of the generator for each request, in seconds. */
  generatorSeconds: number
}

/** Latencies are those of the answers with status 200, in seconds. */
export function summarise({ records, seconds, processorSeconds }: LoadResult): Summary {
  let inTime = 0
  const { start, latency, status } = records
  for (let i = 0; i < start.length; i++) {
    if (status[i] === 200 && start[i] + latency[i] <= seconds) inTime++
  }
  return {
    statuses: countStatuses(status),
    throughput: inTime / seconds,
    ...percentilesOf(latenciesWhere(records, (i) => status[i] === 200)),
    generatorSeconds: processorSeconds / Math.max(1, start.length),
  }
}

export function countStatuses(status: Uint16Array): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const each of status) counts[each] = (counts[each] ?? 0) + 1
  return counts
}

export function latenciesWhere({ latency }: Records, holds: (i: number) => boolean): Float64Array {
  return latency.filter((_, i) => holds(i))
}

/** The same run without what began in its first seconds. */
export function laterThan(
  first: number,
  { records, seconds, processorSeconds, ...rest }: LoadResult,
): LoadResult {
  const { start } = records
  const isLater = (_: number, i: number) => start[i] >= first
  const later: Records = {
    start: start.filter(isLater).map((time) => time - first),
    latency: records.latency.filter(isLater),
    status: records.status.filter(isLater),
    hasRetryAfter: records.hasRetryAfter.filter(isLater),
  }
  const share = later.start.length / Math.max(1, start.length)
  return { ...rest, records: later, seconds: seconds - first, processorSeconds: processorSeconds * share }
}
