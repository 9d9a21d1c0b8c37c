/** Over HTTP, in turns: ours, onnxruntime-node behind the same protocol, and the protocol with nothing behind it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../lib/random.ts'
import { median } from '../statistics.ts'
import { formatSeconds, formatTable, threeDigits } from '../table.ts'
import { draw } from './draw.ts'
import { type Answer, post } from './exchange.ts'
import type { Figure } from './figures.ts'
import { runLoad, type Script } from './load.ts'
import { meanBatchSize } from './metrics.ts'
import { flopsPerStep, network, sequenceLength } from './network.ts'
import type { ProbeReport } from './probe.ts'
import { inferMessage, sequenceScripts, streamScripts } from './requests.ts'
import { requireSame } from './same.ts'
import { type Contender, type Service, withServices } from './service.ts'
import { peak, type Settings, takeTurns } from './settings.ts'
import { type Summary, summarise } from './summary.ts'

export interface HttpTurn extends Summary {
  contender: Contender
  /** Requests a batch. */
  batchSize: number
  /** Processor time of the server for each request, in seconds. */
  serverSeconds: number
  eventLoop: ProbeReport['eventLoop']
}

export interface HttpLoad {
  name: string
  /** Of the ratio of throughputs. */
  asked: number
  /** Steps in a request. */
  steps: number
  scripts: readonly Script[]
}

const { inputSize } = network

export const httpLoads: readonly HttpLoad[] = [
  {
    name: 'single steps of 64 streams',
    asked: 3,
    steps: 1,
    scripts: streamScripts({ connections: 64, inputSize }),
  },
  {
    name: `sequences of ${sequenceLength} steps, 64 at a time`,
    asked: 4,
    steps: sequenceLength,
    scripts: sequenceScripts({ connections: 64, inputSize, steps: sequenceLength }),
  },
]

const contenders: readonly Contender[] = [
  'lstm-native',
  'onnxruntime-node',
  'onnxruntime-node, 1 thread',
  'no model',
]
/** Longer than threads of ONNX Runtime wait for more work without sleeping. */
const pause = 60

export interface HttpMeasurement {
  load: HttpLoad
  turns: HttpTurn[]
}

export async function measureHttp(settings: Settings): Promise<HttpMeasurement[]> {
  return withServices(contenders, network, async (services) => {
    await compareAnswers(services.slice(0, -1))
    const measurements: HttpMeasurement[] = []
    for (const load of httpLoads) {
      // Code is compiled, buffers find their size.
      await takeTurns(services, 1, (service) => turn(service, load, 1))
      const seconds = settings.seconds / settings.rounds
      const turns = await takeTurns(services, settings.rounds, (service) => turn(service, load, seconds))
      const measurement = { load, turns: [...turns.values()].flat() }
      measurements.push(measurement)
      console.log(`\n${describeTurns(measurement)}`)
    }
    return measurements
  })
}

/** @throws {Error} if the servers that have a model do not answer the same: then there is nothing to measure */
async function compareAnswers(services: readonly Service[]): Promise<void> {
  const random = new Random(3)
  const [step, whole] = [draw(random, inputSize), draw(random, sequenceLength * inputSize)]
  const sequence = (isStart: boolean) => ({ x: step, steps: 1, sequence: { id: 1, isStart } })
  const requests = [sequence(true), sequence(false), { x: whole, steps: sequenceLength }].map(inferMessage)
  const all: { name: string; values: Float32Array }[] = []
  for (const { name, port } of services) {
    const answers: Buffer[] = []
    for (const request of requests) answers.push(tensorBytes(await post(port, request)))
    all.push({ name, values: new Float32Array(new Uint8Array(Buffer.concat(answers)).buffer) })
  }
  requireSame(all)
}

function tensorBytes({ status, headers, body }: Answer): Buffer {
  if (status !== 200) throw new Error(`expected status 200, got ${status}: ${body}`)
  return body.subarray(Number(headers['inference-header-content-length']))
}

async function turn(service: Service, { scripts }: HttpLoad, seconds: number): Promise<HttpTurn> {
  await sleep(pause)
  const before = await batches(service)
  await service.begin()
  const result = await runLoad({ port: service.port, scripts, seconds })
  const { processorSeconds, eventLoop } = await service.end()
  return {
    contender: service.name,
    ...summarise(result),
    batchSize: meanBatchSize(before, await batches(service)),
    serverSeconds: processorSeconds / Math.max(1, result.records.start.length),
    eventLoop,
  }
}

async function batches(service: Service): Promise<string> {
  return service.name === 'lstm-native' ? service.metrics() : ''
}

/** The median over the rounds. */
export function medianOf(
  { turns }: HttpMeasurement,
  contender: Contender,
  of: (turn: HttpTurn) => number,
): number {
  return median(turns.filter((each) => each.contender === contender).map(of))
}

function describeTurns(measurement: HttpMeasurement): string {
  const rows = contenders.map((contender) => {
    const at = (of: (turn: HttpTurn) => number) => medianOf(measurement, contender, of)
    const seconds = (of: (turn: HttpTurn) => number) => formatSeconds(at(of))
    return [
      contender,
      `${threeDigits(at(({ throughput }) => throughput))}/s`,
      seconds(({ p50 }) => p50),
      seconds(({ p90 }) => p90),
      seconds(({ p99 }) => p99),
      seconds(({ p999 }) => p999),
      contender === 'lstm-native' ? threeDigits(at(({ batchSize }) => batchSize)) : '',
      seconds(({ eventLoop }) => eventLoop.p99),
      seconds(({ serverSeconds }) => serverSeconds),
      seconds(({ generatorSeconds }) => generatorSeconds),
    ]
  })
  const percentiles = ['p50', 'p90', 'p99', 'p99.9']
  const header = ['requests', ...percentiles, 'batch', 'event loop p99', 'processor time', 'of the generator']
  return `Over HTTP: ${measurement.load.name}\n${formatTable(['', ...header], rows)}`
}

/** Points 1 and 3. */
export function httpFigures(measurements: readonly HttpMeasurement[], settings: Settings): Figure[] {
  return measurements.flatMap((measurement) => {
    const { load } = measurement
    const ratio = (of: (turn: HttpTurn) => number) =>
      medianOf(measurement, 'lstm-native', of) / medianOf(measurement, 'onnxruntime-node', of)
    const throughput = ({ throughput }: HttpTurn) => throughput
    const failures = measurement.turns
      .flatMap(({ statuses }) => Object.entries(statuses))
      .reduce((sum, [status, count]) => sum + (status === '200' ? 0 : count), 0)
    const theirs = medianOf(measurement, 'onnxruntime-node', throughput)
    const figures: Figure[] = [
      {
        point: 1,
        name: `HTTP, ${load.name}: requests a second, to onnxruntime-node`,
        value: ratio(throughput),
        asked: load.asked,
        bound: 'at least',
        unit: 'x',
        possible: possibleThroughput(measurement, settings) / theirs,
      },
      {
        point: 1,
        name: `HTTP, ${load.name}: answers other than 200`,
        value: failures,
        asked: 0,
        bound: 'at most',
        unit: '',
      },
      {
        point: 3,
        name: `${load.name}: event loop delay, p99`,
        value: medianOf(measurement, 'lstm-native', ({ eventLoop }) => eventLoop.p99) * 1000,
        asked: 5,
        bound: 'at most',
        unit: 'ms',
      },
    ]
    if (load.steps === 1) {
      figures.splice(1, 0, {
        point: 1,
        name: `HTTP, ${load.name}: p99, to onnxruntime-node`,
        value: ratio(({ p99 }) => p99),
        asked: 1,
        bound: 'at most',
        unit: 'x',
      })
    }
    return figures
  })
}

/**
 * Requests a second that nothing could exceed here: one thread cannot parse and answer more than without a model, and all cores
 * together spend at least what HTTP, the generator and the products at the peak cost.
 */
function possibleThroughput(measurement: HttpMeasurement, settings: Settings): number {
  const alone = (of: (turn: HttpTurn) => number) => medianOf(measurement, 'no model', of)
  const compute = (flopsPerStep(network) * measurement.load.steps) / peak(settings, 1)
  const each = alone(({ serverSeconds }) => serverSeconds) + alone(({ generatorSeconds }) => generatorSeconds)
  return Math.min(
    alone(({ throughput }) => throughput),
    settings.cores / (each + compute),
  )
}
