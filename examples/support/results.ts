/** examples/results.json: what each recipe showed last, when and where. Written by the runs, never by hand. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { resolve } from 'node:path'
import { backend } from 'lstm-native'
import { boundOf, type Figure, isMet, shown } from './recipe.ts'

const root = resolve(import.meta.dirname, '../..')
const file = resolve(root, 'examples/results.json')

export interface Result {
  title: string
  figures: readonly (Figure & { met: boolean })[]
  met: boolean
  seeds: readonly number[]
  seconds: number
  /** The day, as in 2026-01-31. */
  date: string
  machine: { cpu: string; cores: number; target: string; threads: number }
  version: string
  /** The commit, with + if files have changed since; absent outside a repository. */
  commit?: string
}

/** A run as it is recorded and printed. */
export function resultOf(
  run: Pick<Result, 'title' | 'seeds' | 'seconds'> & { figures: readonly Figure[] },
): Result {
  const figures = run.figures.map((figure) => ({ ...figure, met: isMet(figure) }))
  const { target, threads } = backend()
  const processors = cpus()
  return {
    title: run.title,
    figures,
    met: figures.every(({ met }) => met),
    seeds: run.seeds,
    seconds: Math.round(run.seconds * 10) / 10,
    date: new Date().toISOString().slice(0, 10),
    machine: { cpu: processors[0].model.trim(), cores: processors.length, target, threads },
    version: JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')).version,
    commit: commit(),
  }
}

function commit(): string | undefined {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const isChanged =
      git('status', '--porcelain', '--untracked-files=no', '--', ':!examples/results.json') !== ''
    return git('rev-parse', '--short=12', 'HEAD') + (isChanged ? '+' : '')
  } catch {
    // A tarball has no history, and a machine need not have git.
    return undefined
  }
}

/** The last result of each recipe. */
export function readResults(): Record<string, Result> {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

/** Replaces the entry of a recipe; whoever reads finds the old file or the new one. */
export function recordResult(name: string, result: Result): void {
  const entries = Object.entries({ ...readResults(), [name]: result }).sort(([a], [b]) => (a < b ? -1 : 1))
  const temporary = `${file}.${randomUUID()}.tmp`
  writeFileSync(temporary, `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`)
  renameSync(temporary, file)
}

/** The figures of a result as lines. */
export function figureLines(figures: readonly (Figure & { met: boolean })[]): string[] {
  const widest = Math.max(...figures.map(({ name }) => name.length))
  return figures.map((figure) => {
    const bound = boundOf(figure)
    const verdict = bound === '' ? '' : `  (${bound}: ${figure.met ? 'met' : 'MISSED'})`
    return `${figure.name.padEnd(widest)}  ${shown(figure, figure.value)}${verdict}`
  })
}

/** The day, the machine and the time of a result in words. */
export function runText({ date, seconds, machine, commit }: Result): string {
  const { cpu, cores, target, threads } = machine
  const time = seconds < 120 ? `${seconds} s` : `${(seconds / 60).toFixed(1)} min`
  const at = commit === undefined ? '' : `, at ${commit}`
  return `${time} on ${date}, ${cpu}, cores: ${cores}, ${target}, threads: ${threads}${at}`
}
