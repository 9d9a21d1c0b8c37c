/** Drives a reader with inputs that fast-check draws, and keeps the books. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { measure, type Outcome } from './measure.ts'
import { type Files, type Plan, plan } from './mutation.ts'
import type { Reader } from './reader.ts'

export interface Report {
  reader: string
  inputs: number
  seconds: number
  /** How often each code was thrown, and `accepted`. */
  codes: Map<string, number>
  /** Milliseconds of processor time of the slowest input. */
  slowest: number
  /** Bytes of the one that took most. */
  memory: number
  broken?: { reason: string; files: Files; path: string }
}

/** Milliseconds. */
const mostShrinking = 3000

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** @param path of fast-check, to begin at a case that was found before */
export async function fuzz(
  reader: Reader,
  { inputs, seed, path }: { inputs: number; seed: number; path?: string },
): Promise<Report> {
  const report: Report = {
    reader: reader.name,
    inputs: 0,
    seconds: 0,
    codes: new Map(),
    slowest: 0,
    memory: 0,
  }
  const start = performance.now()
  let failedAt: number | undefined
  const property = fc.asyncProperty(plan, async (each) => {
    // Making a hang smaller takes hangs: after a while the input is as small as it gets.
    if (failedAt !== undefined && performance.now() - failedAt > mostShrinking) return
    const { code, broken, milliseconds, memory } = await tryPlan(reader, each)
    if (broken) {
      failedAt ??= performance.now()
      throw new Error(broken)
    }
    if (failedAt !== undefined) return
    report.inputs++
    report.codes.set(code!, (report.codes.get(code!) ?? 0) + 1)
    report.slowest = Math.max(report.slowest, milliseconds)
    report.memory = Math.max(report.memory, memory)
  })
  const details = await fc.check(property, { numRuns: inputs, seed, path })
  report.seconds = (performance.now() - start) / 1000
  if (details.failed) {
    const [smallest] = details.counterexample!
    const reason = (details.errorInstance as Error).message
    report.broken = { reason, files: inputOf(reader, smallest), path: details.counterexamplePath! }
  }
  return report
}

function inputOf({ samples, mutate }: Reader, { sample, mutations }: Plan): Files {
  const donor = samples[mutations[0].other % samples.length]
  return mutate(samples[sample % samples.length], mutations, donor)
}

async function tryPlan(reader: Reader, each: Plan): Promise<Outcome> {
  const files = inputOf(reader, each)
  const size = [...files.values()].reduce((sum, { length }) => sum + length, 0)
  const outcome = await measure(size, () => reader.read(files))
  if (!outcome.broken?.startsWith('took')) return outcome
  // Garbage of inputs before may have been collected, or memory of them counted: what is true of this one is so again.
  collectGarbage()
  return measure(size, () => reader.read(files))
}
