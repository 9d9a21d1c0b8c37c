/** Measures one case: starts its contenders, compares their results, then times them in turns. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Case, identity } from './cases.ts'
import { Child } from './child.ts'
import { largestDifference } from './compare.ts'
import { contenders as known } from './contenders/contender.ts'
import { drawTensors, problemLengths, readTensors, type Tensors, writeTensors } from './problem.ts'
import { median } from './statistics.ts'

export interface Measurement {
  contender: string
  description: string
  /** Seconds a repetition. */
  median: number
  minimum: number
  samples: number[]
  /** Bytes: the largest resident set after loading the library and at the end. */
  memory: { imported: number; peak: number }
}

export interface CaseResult {
  case: Case
  threads: number
  measurements: Measurement[]
  /** What went wrong or is odd, in sentences: a contender that failed, disagrees or burns time while others run. */
  remarks: string[]
}

export interface MeasureOptions {
  threads: number
  contenders: readonly string[]
  /** Measuring time of each contender. */
  seconds: number
  rounds: number
}

/** Longer than the threads of OpenMP and of ONNX Runtime spin for after a call (milliseconds), by default. */
const pauseMilliseconds = 60
/** A sample lasts at least this long, a hundred times the resolution of the clocks. */
const sampleSeconds = 1e-4
/** Above this a repetition warms its caches itself. */
const warmUpBelow = 0.1
/** Repetitions before results are compared: the losses of three steps show two updates at work. */
const stepsCompared = 3

interface Running {
  child: Child
  description: string
  results: Tensors
  inner: number
  warm: boolean
  samples: number[]
  idle: number[]
  memory: { imported: number; peak: number }
}

export async function measureCase(
  one: Case,
  { threads, contenders, seconds, rounds }: MeasureOptions,
): Promise<CaseResult> {
  const folder = mkdtempSync(join(tmpdir(), 'lstm-bench-'))
  const remarks: string[] = []
  const running: Running[] = []
  const file = join(folder, 'inputs')
  const tensors = writeTensors(file, drawTensors(one))
  try {
    for (const name of contenders) {
      const child = new Child(name, { threads })
      try {
        running.push(await start(child, { one, threads, file, tensors, results: join(folder, name) }))
      } catch (error) {
        remarks.push(`${identity(one)}: ${(error as Error).message}`)
        await child.end()
      }
    }
    const wrong = disagreements(running)
    remarks.push(...wrong.map((sentence) => `${identity(one)}: ${sentence}`))
    if (wrong.length === 0) {
      try {
        await takeTurns(running, { seconds, rounds })
      } catch (error) {
        remarks.push(`${identity(one)}: ${(error as Error).message}`)
        // Half a measurement is none: the rounds that are missing were not the same for all.
        for (const each of running) each.samples = []
      }
    }
    for (const { child, idle } of running) {
      const burnt = idle.length > 0 ? median(idle) * 1e3 : 0
      if (burnt > pauseMilliseconds * Math.max(1, threads - 1)) {
        remarks.push(
          `${identity(one)}: ${child.name} kept the processor busy for ${burnt.toFixed(0)} ms between its turns`,
        )
      }
    }
  } finally {
    await Promise.all(running.map(({ child }) => child.end()))
    rmSync(folder, { recursive: true })
  }
  const measured = running.filter(({ samples }) => samples.length > 0)
  const measurements = measured.map(({ child, description, samples, memory }) => ({
    contender: child.name,
    description,
    median: median(samples),
    minimum: Math.min(...samples),
    samples,
    memory,
  }))
  return { case: one, threads, measurements, remarks }
}

interface StartOptions {
  one: Case
  threads: number
  file: string
  tensors: ReturnType<typeof writeTensors>
  results: string
}

async function start(child: Child, { one, threads, file, tensors, results }: StartOptions): Promise<Running> {
  const lengths = problemLengths(one)
  const reply = await child.prepare({
    case: one,
    threads,
    file,
    tensors,
    lengths: lengths ? [...lengths] : null,
    results,
    repetitions: one.mode === 'step' ? stepsCompared : 1,
  })
  // The first call on new data pays for pages, caches and compilation; the second shows how long one takes.
  await child.time({ seconds: 0.02, inner: 1, warm: true })
  const { samples, memory } = await child.time({ seconds: 0.02, inner: 1, warm: false })
  const once = median(samples)
  return {
    child,
    description: reply.description,
    results: readTensors(results, reply.tensors),
    inner: Math.max(1, Math.ceil(sampleSeconds / once)),
    warm: once < warmUpBelow,
    samples: [],
    idle: [],
    memory,
  }
}

function disagreements(running: readonly Running[]): string[] {
  const [ours, ...others] = running.filter(({ child }) => !known[child.name].incomparable)
  return others.flatMap(({ child, results }) => {
    const { tensor, error, tolerance } = largestDifference(ours.results, results)
    if (error <= tolerance) return []
    return `${ours.child.name} and ${child.name} differ in ${tensor} by ${error.toExponential(1)}, allowed ${tolerance}`
  })
}

/** Round after round, each contender for its share of the time, each round beginning with another one. */
async function takeTurns(
  running: readonly Running[],
  { seconds, rounds }: { seconds: number; rounds: number },
) {
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < running.length; turn++) {
      const one = running[(round + turn) % running.length]
      await sleep(pauseMilliseconds)
      const { samples, idle, memory } = await one.child.time({
        seconds: seconds / rounds,
        inner: one.inner,
        warm: one.warm,
      })
      one.samples.push(...samples)
      one.idle.push(idle)
      one.memory = memory
    }
  }
}
