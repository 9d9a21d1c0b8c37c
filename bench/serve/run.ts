/** `npm run bench:serve`: servers under load, beside onnxruntime-node; docs/serving.md says how it is measured. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { installContenders } from '../install.ts'
import { describeLimits } from '../report.ts'
import { measureLimits } from '../roofline/roofline.ts'
import { type Arguments, parseArguments, usage } from './arguments.ts'
import { compile, compiled } from './compile.ts'
import { describeFigures, type Figure, shortfalls } from './figures.ts'
import { httpFigures, measureHttp } from './http.ts'
import { inProcessFigures, measureInProcess } from './in-process.ts'
import { buildGenerator } from './load.ts'
import { measureOverload, overloadFigures } from './overload.ts'
import { measurePoisson, poissonFigures } from './poisson.ts'
import type { Settings } from './settings.ts'
import { soak } from './soak.ts'

/** `--check`: a figure falls short. `--soak`: memory grew or a request failed. */
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
  compile()
  if (args.curves) {
    execFileSync(process.execPath, [compiled('bench/serve/curves.ts'), '3'], { stdio: 'inherit' })
    return 0
  }
  buildGenerator()
  if (args.soak === undefined) return measure(args)
  const failures = await soak(args.soak)
  for (const failure of failures) console.log(`! ${failure}`)
  return failures.length === 0 ? 0 : exitShort
}

async function measure({ points, check, json, ...rest }: Arguments): Promise<number> {
  installContenders()
  const settings = { ...rest, ...begin() }
  const wanted = (...of: number[]) => of.some((point) => points.includes(point))
  const figures: Figure[] = []
  const http = wanted(1, 3) ? await measureHttp(settings) : []
  figures.push(...httpFigures(http, settings))
  const inProcess = wanted(1, 2) ? await measureInProcess(settings) : undefined
  if (inProcess) figures.push(...inProcessFigures(inProcess, settings))
  const overload = wanted(4) ? await measureOverload(settings) : undefined
  if (overload) figures.push(...overloadFigures(overload))
  const poisson = wanted(5) ? await measurePoisson(settings) : []
  figures.push(...poissonFigures(poisson))

  const asked = figures.filter(({ point }) => wanted(point)).sort((a, b) => a.point - b.point)
  console.log(`\n${describeFigures(asked)}`)
  const short = shortfalls(asked)
  console.log(
    short.length === 0 ? '\nEvery figure is met.' : `\nShort of what is asked:\n${short.join('\n')}`,
  )
  if (json) {
    const machine = { model: cpus()[0].model.trim(), cores: settings.cores, node: process.version }
    const measured = {
      http: http.map(({ load, turns }) => ({ load: load.name, turns })),
      inProcess,
      overload,
      poisson,
    }
    writeFileSync(json, `${JSON.stringify({ machine, settings, figures: asked, measured }, undefined, 1)}\n`)
  }
  return check && short.length > 0 ? exitShort : 0
}

function begin(): Pick<Settings, 'limits' | 'cores'> {
  const cores = availableParallelism()
  const [load] = loadavg()
  if (load > 0.5) {
    console.log(
      `The load average is ${load.toFixed(1)}: something else is running, and the figures will show it.\n`,
    )
  }
  console.log(`${cpus()[0].model.trim()}, ${cores} cores, Node ${process.version}`)
  const limits = measureLimits({ threads: cores })
  console.log(describeLimits(limits))
  return { limits, cores }
}

process.exitCode = await main()
