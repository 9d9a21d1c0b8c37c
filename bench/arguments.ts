/** The command line of the bench. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { contenders as known } from './contenders/contender.ts'

export interface Arguments {
  threads: number
  case: string | undefined
  contenders: string[] | undefined
  seconds: number
  rounds: number
  json: string | undefined
  check: string | undefined
  help: boolean
}

export const usage = `npm run bench -- [options]

  --case WORDS        only the cases whose name and mode hold all these words, e.g. "B16 H256 training"
  --threads N         threads of every contender (default: all cores)
  --contenders A,B    instead of those of each case: ${Object.keys(known).join(', ')}
  --seconds S         measuring time of each contender and case (default 2)
  --rounds N          turns it is cut into (default 10)
  --json FILE         write every sample and the limits
  --check FILE        measure the rows of FILE (bench/targets.json) with their own threads; exit 1 if any falls short
  --help

BENCH_PYTHON names a Python that has PyTorch; without it PyTorch does not take part.`

/** @throws {Error} that says what is wrong with the command line */
export function parseArguments(args: readonly string[]): Arguments {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      threads: text,
      case: text,
      contenders: text,
      seconds: text,
      rounds: text,
      json: text,
      check: text,
      help: { type: 'boolean' },
    },
  })
  const contenders = values.contenders?.split(',')
  for (const name of contenders ?? []) {
    if (!known[name]) {
      throw new Error(`--contenders: expected some of ${Object.keys(known).join(', ')}, got "${name}"`)
    }
  }
  if (values.check && values.threads)
    throw new Error('--check: the file names the threads; leave --threads out')
  return {
    threads: wholeNumber('threads', values.threads, availableParallelism()),
    case: values.case,
    contenders,
    seconds: positive('seconds', values.seconds, 2),
    rounds: wholeNumber('rounds', values.rounds, 10),
    json: values.json,
    check: values.check,
    help: values.help ?? false,
  }
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new Error(`--${name}: expected a positive number, got "${text}"`)
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  const value = positive(name, text, otherwise)
  if (Number.isInteger(value)) return value
  throw new Error(`--${name}: expected a whole number, got "${text}"`)
}
