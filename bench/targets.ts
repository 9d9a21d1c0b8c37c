/** `--check`: what is asked of the package, as data (targets.json), and whether measurements meet it. */
import { type Case, cases, identity, type Mode } from './cases.ts'
import type { CaseResult, Measurement } from './measure.ts'
import { oursOf, shareOf } from './report.ts'
import type { Limits } from './roofline/roofline.ts'
import { geometricMean } from './statistics.ts'
import { formatSeconds, formatTable, percent, threeDigits } from './table.ts'

export interface Targets {
  /** Time of the fastest of the peers, all of whom must be there, divided by ours: at least `asked`, by threads. */
  ratios: readonly RatioTable[]
  /** Share of the machine's limits, by the limit that counts: `fma` or the level the weights are read from. */
  shares: readonly ShareRow[]
  /** Seconds a repetition, at most. */
  times: readonly { case: string; mode: Mode; threads: number; seconds: number }[]
  /** Our largest resident set is at most what the peer's grew by over its own import. */
  memory: readonly { case: string; mode: Mode; threads: number; peer: string }[]
}

export interface ShareRow {
  case: string
  mode: Mode
  threads: number
  /** Whose share, with the peak of its own instruction set; default: the case's first. */
  contender?: string
  asked: Record<string, number>
}

export interface RatioTable {
  name: string
  mode: Mode
  peers: readonly string[]
  rows: readonly { case: string; asked: Record<string, number> }[]
  geometricMean?: Record<string, number>
}

export interface Run {
  case: Case
  threads: number
}

/**
 * Every case and number of threads that the targets ask for and `chosen` holds, once, in the order of the file.
 *
 * @throws {Error} if the targets name a case that cases.ts does not have
 */
export function targetRuns({ ratios, shares, times, memory }: Targets, chosen: readonly Case[]): Run[] {
  const byRatio = ratios.flatMap(({ mode, rows }) =>
    rows.flatMap((row) =>
      Object.keys(row.asked).map((threads) => ({ case: row.case, mode, threads: Number(threads) })),
    ),
  )
  const runs = new Map<string, Run>()
  for (const row of [...byRatio, ...shares, ...times, ...memory]) {
    const key = identity({ name: row.case, mode: row.mode })
    const one = cases.find((candidate) => identity(candidate) === key)
    if (!one) throw new Error(`targets: there is no case "${key}" in cases.ts`)
    if (chosen.includes(one)) runs.set(`${key} ${row.threads}`, { case: one, threads: row.threads })
  }
  return [...runs.values()]
}

interface Verdicts {
  text: string
  /** A sentence for each row that falls short or could not be measured. */
  short: string[]
}

/** Judges every row whose case is among the results. */
export function checkTargets(targets: Targets, results: readonly CaseResult[], limits: Limits): Verdicts {
  const short: string[] = []
  const verdict = (isMet: boolean, sentence: string) => {
    if (!isMet) short.push(sentence)
    return isMet ? 'met' : 'SHORT'
  }
  const find = (row: { case: string; mode: Mode }, threads: number) =>
    results.find(
      (result) =>
        identity(result.case) === identity({ name: row.case, mode: row.mode }) && result.threads === threads,
    )

  const parts = targets.ratios.map((table) => checkRatios(table, { find, verdict }))
  const rows: string[][] = []
  /** One row of the last table, for a case that was run. */
  const judge = (
    row: { case: string; mode: Mode; threads: number },
    measure: (
      ours: Measurement,
      result: CaseResult,
    ) => { value: string; asked: string; isMet: boolean } | undefined,
  ) => {
    const result = find(row, row.threads)
    if (!result) return
    const place = `${identity({ name: row.case, mode: row.mode })}, ${threadsOf(row.threads)}`
    const ours = oursOf(result)
    const found = ours && measure(ours, result)
    if (!found) short.push(`${place}: could not be measured`)
    else
      rows.push([
        place,
        found.value,
        found.asked,
        verdict(found.isMet, `${place}: ${found.value}, asked ${found.asked}`),
      ])
  }
  for (const row of targets.shares) {
    judge(row, (ours, { case: one, measurements }) => {
      const judged = row.contender ? measurements.find(({ contender }) => contender === row.contender) : ours
      if (!judged) return undefined
      const { share, limit } = shareOf(one, judged, limits, row)
      const asked = row.asked[limit]
      if (asked === undefined) return undefined
      const whose = row.contender ? `, ${row.contender}` : ''
      return { value: `${percent(share)} of ${limit}${whose}`, asked: percent(asked), isMet: share >= asked }
    })
  }
  for (const row of targets.times) {
    judge(row, (ours) => {
      const isMet = ours.median <= row.seconds
      return { value: formatSeconds(ours.median), asked: `at most ${formatSeconds(row.seconds)}`, isMet }
    })
  }
  for (const row of targets.memory) {
    judge(row, (ours, { measurements }) => {
      const peer = measurements.find(({ contender }) => contender === row.peer)
      if (!peer) return undefined
      const growth = peer.memory.peak - peer.memory.imported
      const asked = `at most the ${megabytes(growth)} ${row.peer} grew by`
      return { value: megabytes(ours.memory.peak), asked, isMet: ours.memory.peak <= growth }
    })
  }
  if (rows.length > 0) parts.push(formatTable(['limits and sizes', 'ours', 'asked', ''], rows))
  return { text: parts.filter(Boolean).join('\n\n'), short }
}

interface Judge {
  find(row: { case: string; mode: Mode }, threads: number): CaseResult | undefined
  verdict(isMet: boolean, sentence: string): string
}

function checkRatios(
  { name, mode, peers, rows, geometricMean: means }: RatioTable,
  { find, verdict }: Judge,
): string {
  const lines: string[][] = []
  const ratios: Record<string, number[]> = {}
  for (const row of rows) {
    for (const [threads, asked] of Object.entries(row.asked)) {
      const result = find({ case: row.case, mode }, Number(threads))
      if (!result) continue
      const place = `${row.case} ${mode}, ${threadsOf(Number(threads))}`
      const ours = oursOf(result)
      const found = peers.map((peer) => result.measurements.find(({ contender }) => contender === peer))
      const missing = peers.filter((_, i) => !found[i])
      if (!ours || missing.length > 0) {
        const who = [...(ours ? [] : [result.case.contenders[0]]), ...missing].join(' and ')
        lines.push([
          row.case,
          threads,
          '',
          '',
          '',
          threeDigits(asked),
          verdict(false, `${place}: ${who} not measured`),
        ])
        continue
      }
      const best = found.map((peer) => peer!).sort((a, b) => a.median - b.median)[0]
      const ratio = best.median / ours.median
      ratios[threads] = [...(ratios[threads] ?? []), ratio]
      const outcome = verdict(ratio >= asked, `${place}: ${threeDigits(ratio)}, asked ${threeDigits(asked)}`)
      const theirs = `${formatSeconds(best.median)} ${best.contender}`
      lines.push([
        row.case,
        threads,
        formatSeconds(ours.median),
        theirs,
        threeDigits(ratio),
        threeDigits(asked),
        outcome,
      ])
    }
  }
  for (const [threads, asked] of Object.entries(means ?? {})) {
    // A mean over some of the rows would be another number than the one asked for.
    if (ratios[threads]?.length !== rows.length) continue
    const mean = geometricMean(ratios[threads])
    const place = `geometric mean of ${name}, ${threadsOf(Number(threads))}`
    const outcome = verdict(mean >= asked, `${place}: ${threeDigits(mean)}, asked ${threeDigits(asked)}`)
    lines.push(['geometric mean', threads, '', '', threeDigits(mean), threeDigits(asked), outcome])
  }
  if (lines.length === 0) return ''
  return formatTable([name, 'threads', 'ours', 'best peer', 'ratio', 'asked', ''], lines)
}

function threadsOf(count: number): string {
  return count === 1 ? '1 thread' : `${count} threads`
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`
}
