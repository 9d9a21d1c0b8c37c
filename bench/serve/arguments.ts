/** The command line of bench:serve. */
import { parseArgs } from 'node:util'

export interface Arguments {
  check: boolean
  seconds: number
  overloadSeconds: number
  rounds: number
  points: readonly number[]
  json: string | undefined
  soak: number | undefined
  curves: boolean
  help: boolean
}

export const allPoints: readonly number[] = [1, 2, 3, 4, 5]

export const usage = `npm run bench:serve -- [options]

  --check           exit 1 if a figure falls short, and name it
  --quick           10 seconds a point instead of 30, 10 of overload instead of 60
  --only N[,N]      only these points: 1 ratios to onnxruntime-node, 2 streams to one kernel call, 3 event loop,
                    4 overload, 5 Poisson arrivals
  --rounds N        turns that a point is cut into (default 5)
  --json FILE       write all that was measured
  --soak SECONDS    instead of the points: mixed load, bad requests and reloads for so long; exit 1 unless memory stays
                    flat and nothing fails
  --curves          instead of the points: what batch sizes, streams, threads and delays do, without HTTP
  --help`

/** @throws {Error} that says what is wrong with the command line */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      check: { type: 'boolean' },
      quick: { type: 'boolean' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      json: { type: 'string' },
      soak: { type: 'string' },
      curves: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.soak !== undefined && (values.check || values.only)) {
    throw new Error('--soak: it is no point to measure and checks by itself; leave --check and --only out')
  }
  return {
    check: values.check ?? false,
    seconds: values.quick ? 10 : 30,
    overloadSeconds: values.quick ? 10 : 60,
    rounds: wholeNumber('rounds', values.rounds ?? '5'),
    points: values.only === undefined ? allPoints : values.only.split(',').map(point),
    json: values.json,
    soak: values.soak === undefined ? undefined : wholeNumber('soak', values.soak),
    curves: values.curves ?? false,
    help: values.help ?? false,
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new Error(`--${name}: expected a whole number of at least 1, got "${text}"`)
}

function point(text: string): number {
  const value = Number(text)
  if (allPoints.includes(value)) return value
  throw new Error(`--only: expected some of ${allPoints.join(', ')}, got "${text}"`)
}
