/** Requests that arrive by a Poisson process at 70 % of what the server can do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../statistics.ts'
import { formatSeconds, formatTable, threeDigits } from '../table.ts'
import type { Figure } from './figures.ts'
import { type HttpLoad, httpLoads } from './http.ts'
import { runLoad } from './load.ts'
import { meanBatchSize } from './metrics.ts'
import { network } from './network.ts'
import { type Contender, type Service, withServices } from './service.ts'
import { type Settings, takeTurns } from './settings.ts'
import { laterThan, type Summary, summarise } from './summary.ts'

const share = 0.7
/** What answers without a model shows what of the waiting is that of HTTP, on these cores. */
const contenders: readonly Contender[] = ['lstm-native', 'onnxruntime-node', 'no model']
const pause = 60
/** Seconds of the same arrivals before those that count: the server takes 64 connections meanwhile, and begins their sequences. */
const warmUp = 0.5

export interface PoissonTurn extends Summary {
  contender: Contender
  /** Requests a second that arrived, and those that the server can answer. */
  rate: number
  capacity: number
  batchSize: number
}

export interface PoissonMeasurement {
  load: string
  turns: PoissonTurn[]
}

export async function measurePoisson(settings: Settings): Promise<PoissonMeasurement[]> {
  return withServices(contenders, network, async (services) => {
    const measurements: PoissonMeasurement[] = []
    for (const load of httpLoads) {
      const turns = await takeTurns(services, settings.rounds, (service) => turn(service, load, settings))
      const measurement = { load: load.name, turns: [...turns.values()].flat() }
      measurements.push(measurement)
      console.log(`\n${describeTurns(measurement)}`)
    }
    return measurements
  })
}

let seed = 0

/** The capacity is measured anew each time, just before: that of a machine shared with others changes. */
async function turn(service: Service, { scripts }: HttpLoad, settings: Settings): Promise<PoissonTurn> {
  const { port, name } = service
  const seconds = settings.seconds / settings.rounds
  await sleep(pause)
  const { throughput: capacity } = summarise(await runLoad({ port, scripts, seconds }))
  await sleep(pause)
  const rate = share * capacity
  const before = name === 'lstm-native' ? await service.metrics() : ''
  const phases = [
    { rate, seconds: warmUp },
    { rate, seconds },
  ]
  const result = laterThan(warmUp, await runLoad({ port, scripts, phases, seed: ++seed }))
  const after = name === 'lstm-native' ? await service.metrics() : ''
  return { contender: name, rate, capacity, ...summarise(result), batchSize: meanBatchSize(before, after) }
}

function medianOf(
  { turns }: PoissonMeasurement,
  contender: Contender,
  of: (turn: PoissonTurn) => number,
): number {
  return median(turns.filter((turn) => turn.contender === contender).map(of))
}

function describeTurns(measurement: PoissonMeasurement): string {
  const rows = contenders.map((contender) => {
    const at = (of: (turn: PoissonTurn) => number) => medianOf(measurement, contender, of)
    return [
      contender,
      `${threeDigits(at(({ capacity }) => capacity))}/s`,
      `${threeDigits(at(({ rate }) => rate))}/s`,
      ...(['p50', 'p90', 'p99', 'p999'] as const).map((key) => formatSeconds(at((each) => each[key]))),
      contender === 'lstm-native' ? threeDigits(at(({ batchSize }) => batchSize)) : '',
    ]
  })
  const header = ['', 'capacity', 'arrivals', 'p50', 'p90', 'p99', 'p99.9', 'batch']
  return `Poisson arrivals: ${measurement.load}\n${formatTable(header, rows)}`
}

/** Point 5. */
export function poissonFigures(measurements: readonly PoissonMeasurement[]): Figure[] {
  return measurements.map((measurement) => ({
    point: 5,
    name: `Poisson at 70 %, ${measurement.load}: p99, to p50`,
    value: medianOf(measurement, 'lstm-native', ({ p99, p50 }) => p99 / p50),
    asked: 5,
    bound: 'at most',
    unit: 'x',
  }))
}
