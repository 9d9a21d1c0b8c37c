/** Without HTTP, in turns: ours through the batcher, one kernel call in a loop, and onnxruntime-node. */
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../statistics.ts'
import { formatSeconds, formatTable, threeDigits } from '../table.ts'
import { compiled } from './compile.ts'
import type { Results, Task, TaskResult } from './engine.ts'
import type { EngineOptions } from './engines.ts'
import type { Figure } from './figures.ts'
import { Measured } from './measured.ts'
import { flopsPerStep, type ModelFiles, network, sequenceLength, writeModel } from './network.ts'
import { requireSame } from './same.ts'
import { peak, type Settings, takeTurns } from './settings.ts'

const streams = 1000
const sequences = 256
const kernelBatch = 64

/** Longer than threads of ONNX Runtime wait for more work without sleeping. */
const pause = 60

export interface InProcessTurn extends TaskResult {
  contender: string
}

export interface InProcessMeasurement {
  steps: InProcessTurn[]
  sequences: InProcessTurn[]
}

export async function measureInProcess(settings: Settings): Promise<InProcessMeasurement> {
  const files = await writeModel(network)
  const ours = startEngine('lstm-native', files)
  const theirs = startEngine('onnxruntime-node', files)
  const theirsAlone = startEngine('onnxruntime-node', files, 1)
  const engines = [ours, theirs, theirsAlone]
  try {
    await compareResults(engines)
    const steps: Omit<Task, 'seconds'> = { kind: 'steps', callers: streams }
    const whole: Omit<Task, 'seconds'> = { kind: 'sequences', callers: sequences }
    const kernel: Omit<Task, 'seconds'> = { kind: 'kernel', callers: kernelBatch }
    const runs = (task: Omit<Task, 'seconds'>) =>
      engines.map((engine) => ({ engine, name: engine.name, task }))
    const kernelRun = { engine: ours, name: `kernel, B = ${kernelBatch}`, task: kernel }
    const measured = {
      steps: await measure([...runs(steps), kernelRun], settings),
      sequences: await measure(runs(whole), settings),
    }
    console.log(`\n${describeTurns(`single steps of ${streams} streams`, measured.steps)}`)
    const name = `sequences of ${sequenceLength} steps, ${sequences} at a time`
    console.log(`\n${describeTurns(name, measured.sequences)}`)
    return measured
  } finally {
    await Promise.all(engines.map((engine) => engine.end()))
    files.remove()
  }
}

interface Run {
  engine: Measured
  name: string
  task: Omit<Task, 'seconds'>
}

async function measure(runs: readonly Run[], { seconds, rounds }: Settings): Promise<InProcessTurn[]> {
  const turn = async ({ engine, name, task }: Run, length: number) => {
    await sleep(pause)
    return { contender: name, ...(await engine.ask<TaskResult>({ ...task, seconds: length })) }
  }
  await takeTurns(runs, 1, (run) => turn(run, 1))
  const turns = await takeTurns(runs, rounds, (run) => turn(run, seconds / rounds))
  return [...turns.values()].flat()
}

function startEngine(engine: EngineOptions['engine'], files: ModelFiles, threads?: number): Measured {
  const options: EngineOptions & { sequenceLength: number } = {
    engine,
    network,
    sequenceLength,
    safetensors: files.safetensors,
    onnx: files.onnx,
    packageFile: new URL('../package.json', import.meta.url).pathname,
    threads,
  }
  const name = threads === 1 ? `${engine}, 1 thread` : engine
  return new Measured(name, compiled('bench/serve/engine.ts'), [JSON.stringify(options)])
}

async function compareResults(engines: readonly Measured[]): Promise<void> {
  const all: { name: string; values: Float32Array }[] = []
  for (const engine of engines) {
    const { outputs } = await engine.ask<Results>({ kind: 'results', callers: 1, seconds: 0 })
    all.push({ name: engine.name, values: Float32Array.from(outputs) })
  }
  requireSame(all)
}

function medianOf(
  turns: readonly InProcessTurn[],
  contender: string,
  of: (turn: InProcessTurn) => number,
): number {
  return median(turns.filter((turn) => turn.contender === contender).map(of))
}

function describeTurns(name: string, turns: readonly InProcessTurn[]): string {
  const contenders = [...new Set(turns.map(({ contender }) => contender))]
  const rows = contenders.map((contender) => {
    const at = (of: (turn: InProcessTurn) => number) => medianOf(turns, contender, of)
    return [
      contender,
      `${threeDigits(at(({ throughput }) => throughput))}/s`,
      ...(['p50', 'p90', 'p99', 'p999'] as const).map((key) => formatSeconds(at((turn) => turn[key]))),
      threeDigits(at(({ batchSize }) => batchSize)),
    ]
  })
  const header = ['', 'throughput', 'p50', 'p90', 'p99', 'p99.9', 'batch']
  return `In process: ${name}\n${formatTable(header, rows)}`
}

/** Points 1 and 2. */
export function inProcessFigures(measured: InProcessMeasurement, settings: Settings): Figure[] {
  const throughput = (turns: readonly InProcessTurn[], contender: string) =>
    medianOf(turns, contender, (turn) => turn.throughput)
  const ratio = (
    name: string,
    { turns, asked, steps }: { turns: readonly InProcessTurn[]; asked: number; steps: number },
  ): Figure => {
    const theirs = throughput(turns, 'onnxruntime-node')
    return {
      point: 1,
      name: `in process, ${name}, to onnxruntime-node`,
      value: throughput(turns, 'lstm-native') / theirs,
      asked,
      bound: 'at least',
      unit: 'x',
      possible: peak(settings, settings.cores) / (flopsPerStep(network) * steps) / theirs,
    }
  }
  const kernel = throughput(measured.steps, `kernel, B = ${kernelBatch}`)
  return [
    ratio('single steps', { turns: measured.steps, asked: 8, steps: 1 }),
    ratio(`sequences of ${sequenceLength} steps`, {
      turns: measured.sequences,
      asked: 5,
      steps: sequenceLength,
    }),
    {
      point: 2,
      name: `${streams} streams in process, to one call of B = ${kernelBatch} in a loop`,
      value: (throughput(measured.steps, 'lstm-native') / kernel) * 100,
      asked: 50,
      bound: 'at least',
      unit: '%',
      possible: (peak(settings, settings.cores) / flopsPerStep(network) / kernel) * 100,
    },
  ]
}
