/** `npm run bench`: measures the cases against the peers and prints what came out; see README.md beside this file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { type Arguments, parseArguments, usage } from './arguments.ts'
import { type Case, casesMatching, identity } from './cases.ts'
import { installContenders } from './install.ts'
import { type CaseResult, measureCase } from './measure.ts'
import { describeLimits, describeResults } from './report.ts'
import { type Limits, measureLimits } from './roofline/roofline.ts'
import { checkTargets, type Targets, targetRuns } from './targets.ts'

/** `--check`: a row that falls short, or cannot be measured. */
const exitShort = 1
/** A command line that cannot be understood. */
const exitUsage = 2

async function main(): Promise<number> {
  let args: Arguments
  try {
    args = parseArguments(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return exitUsage
  }
  if (args.help) {
    console.log(usage)
    return 0
  }
  installContenders()
  return args.check ? check(args, args.check) : explore(args)
}

async function explore(args: Arguments): Promise<number> {
  const chosen = casesMatching(args.case)
  if (chosen.length === 0) {
    console.error(
      `--case: no case holds all of "${args.case}"; there are\n${casesMatching('').map(identity).join('\n')}`,
    )
    return exitUsage
  }
  const limits = begin(args.threads)
  const results: CaseResult[] = []
  for (const one of chosen) {
    const result = await measureCase(one, { ...args, contenders: contendersOf(one, args) })
    results.push(result)
    console.log(`\n${describeResults(result, limits)}`)
  }
  finish(args, limits, results)
  return results.some(({ measurements }) => measurements.length === 0) ? exitShort : 0
}

async function check(args: Arguments, file: string): Promise<number> {
  const targets = JSON.parse(readFileSync(file, 'utf8')) as Targets
  const runs = targetRuns(targets, casesMatching(args.case))
  const limits = begin(Math.max(...runs.map(({ threads }) => threads)))
  const results: CaseResult[] = []
  for (const { case: one, threads } of runs) {
    const result = await measureCase(one, { ...args, threads, contenders: contendersOf(one, args) })
    results.push(result)
    console.log(`\n${describeResults(result, limits)}`)
  }
  finish(args, limits, results)
  const { text, short } = checkTargets(targets, results, limits)
  console.log(`\n${text}`)
  console.log(short.length === 0 ? '\nEvery row is met.' : `\nShort of what is asked:\n${short.join('\n')}`)
  return short.length === 0 ? 0 : exitShort
}

/** Who takes part, PyTorch only where BENCH_PYTHON says where it is. */
function contendersOf(one: Case, args: Arguments): string[] {
  const names = args.contenders ?? one.contenders
  return names.filter((name) => name !== 'pytorch' || process.env.BENCH_PYTHON)
}

function begin(threads: number): Limits {
  if (!process.env.BENCH_PYTHON) console.log('BENCH_PYTHON is not set: PyTorch does not take part.\n')
  const [load] = loadavg()
  if (load > 0.5)
    console.log(
      `The load average is ${load.toFixed(1)}: something else is running, and the times will show it.\n`,
    )
  const limits = measureLimits({ threads })
  console.log(`${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.version}`)
  console.log(describeLimits(limits))
  return limits
}

/** Says who was measured, to the version, and writes the file that was asked for. */
function finish({ json }: Arguments, limits: Limits, results: readonly CaseResult[]): void {
  const who = results.flatMap(({ measurements }) => measurements.map(({ description }) => description))
  console.log(`\n${[...new Set(who)].join('\n')}`)
  if (!json) return
  const machine = { model: cpus()[0].model.trim(), cores: cpus().length, node: process.version }
  writeFileSync(json, `${JSON.stringify({ machine, limits, results }, undefined, 1)}\n`)
}

process.exitCode = await main()
