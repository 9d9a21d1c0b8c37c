/** The text that the bench prints for a case and for the machine. */
import { type Case, identity } from './cases.ts'
import type { CaseResult, Measurement } from './measure.ts'
import type { Limits } from './roofline/roofline.ts'
import { flops, leastTime } from './statistics.ts'
import { formatSeconds, formatTable, percent, threeDigits } from './table.ts'

/** The contender whose time is divided by everyone else's: ours, the first of a case. */
export function oursOf({ measurements, case: one }: CaseResult): Measurement | undefined {
  return measurements.find(({ contender }) => contender === one.contenders[0])
}

/** The instruction set whose peak a contender is measured by: the forced one, else the best of the machine. */
export function targetOf(contender: string, limits: Limits): string {
  return limits.fma[contender] ? contender : Object.keys(limits.fma).at(-1)!
}

/** The share of the machine's limits: the least time they allow, divided by the time it took. */
export function shareOf(
  one: Case,
  measurement: Measurement,
  limits: Limits,
  { threads }: { threads: number },
) {
  const { seconds, limit } = leastTime(one, limits, {
    threads,
    target: targetOf(measurement.contender, limits),
  })
  return { share: seconds / measurement.median, limit }
}

export function describeResults(result: CaseResult, limits: Limits): string {
  const { case: one, threads, measurements, remarks } = result
  const ours = oursOf(result)
  const rows = measurements.map((measurement) => {
    const { share, limit } = shareOf(one, measurement, limits, { threads })
    const spread = [...measurement.samples].sort((a, b) => a - b)[
      Math.floor(measurement.samples.length * 0.9)
    ]
    return [
      measurement.contender,
      formatSeconds(measurement.median),
      formatSeconds(measurement.minimum),
      formatSeconds(spread),
      threeDigits(flops(one) / measurement.median / 1e9),
      `${percent(share)} of ${limit}`,
      ours ? `${threeDigits(measurement.median / ours.median)} x` : '',
      `${(measurement.memory.peak / 2 ** 20).toFixed(0)} MB`,
      String(measurement.samples.length),
    ]
  })
  const header = ['', 'median', 'best', '90 %', 'GFLOP/s', 'limit', 'to ours', 'memory', 'samples']
  const title = `${identity(one)}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
  const table = rows.length > 0 ? [formatTable(header, rows)] : []
  return [title, ...table, ...remarks.map((remark) => `! ${remark}`)].join('\n')
}

export function describeLimits({ gigahertz, caches, fma, read }: Limits): string {
  const threads = Object.keys(Object.values(fma)[0])
  const header = ['limits', ...threads.map((n) => `${n} ${n === '1' ? 'thread' : 'threads'}`)]
  const cells = (values: Record<string, number>, unit: string) =>
    threads.map((n) => `${threeDigits(values[n])} ${unit}`)
  return formatTable(header, [
    ...Object.entries(fma).map(([target, values]) => [
      `multiply-adds, ${target}`,
      ...cells(values, 'GFLOP/s'),
    ]),
    ...read
      .filter(({ bytes }) => bytes <= 2 * Math.max(caches.L2, caches.L3) || bytes === read.at(-1)!.bytes)
      .map(({ bytes, rate }) => [`reading ${kilobytes(bytes)}`, ...cells(rate, 'GB/s')]),
    ['clock', `${gigahertz.toFixed(2)} GHz`, ...threads.slice(1).map(() => '')],
  ])
}

function kilobytes(bytes: number): string {
  return bytes >= 1 << 20 ? `${bytes >> 20} MB` : `${bytes >> 10} KB`
}
