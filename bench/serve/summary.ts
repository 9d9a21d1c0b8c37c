/** What a run's records come to: counts by status, throughput and exact percentiles. */
import type { LoadResult, Records } from './load.ts'

export interface Percentiles {
  p50: number
  p90: number
  p99: number
  p999: number
  max: number
}

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

/** Exact, by nearest rank: the least value that at least the share of all values do not exceed. NaN where there are none. */
export function percentilesOf(values: Float64Array | readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) }
}
