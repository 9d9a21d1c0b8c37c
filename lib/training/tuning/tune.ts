/**
 * `tune`: a search over options by successive halving (Jamieson & Talwalkar, "Non-stochastic best arm identification and
 * hyperparameter optimization", AISTATS 2016). Many configurations, drawn at random, are tried with little training; the best
 * of them with more; and so on, until the best few have had all of it.
 */
import { performance } from 'node:perf_hooks'
import { NonFiniteLossError, refuseUnknownOptions, requireInteger, requireNumber } from '../../errors.ts'
import { hash, Random } from '../../random.ts'
import { Journal, type TrialRecord } from './journal.ts'
import { type ConfigurationOf, drawConfigurations, requireSpace, type SearchSpace } from './space.ts'

/** What a trial may use. */
export interface TrialBudget {
  /** Such as epochs: from `minResource` in the first rung to `maxResource` in the last. */
  resource: number
  /** The number of the configuration, from 0. */
  trial: number
  rung: number
  /** Of all random numbers of the trial: the same in every rung, and not that of any other configuration. */
  seed: number
  signal?: AbortSignal
}

export interface TuneOptions<Space extends SearchSpace> {
  space: Space
  /**
   * Trains a configuration with a budget, from the beginning, and returns its loss on validation data, lower being better. A
   * trial that throws a NonFiniteLossError, or returns no finite number, has failed and goes no further.
   */
  evaluate(configuration: ConfigurationOf<Space>, budget: TrialBudget): Promise<number> | number
  /** Configurations in the first rung; default 27. */
  trials?: number
  /** η: the share 1/η goes on to the next rung, with η times the resource; default 3. */
  reduction?: number
  /** Of the first rung; default 1. */
  minResource?: number
  /** Of the last rung. */
  maxResource: number
  /** Of the configurations, and of the trials; default 1. */
  seed?: number
  /** A file from which a search that was stopped goes on, as if it had not been. */
  journal?: string
  /** Plain data that say what else the losses depend on: a journal of another subject is refused. */
  subject?: object
  /** Stops the search: the reason is thrown. The journal has what was finished. */
  signal?: AbortSignal
  /** Called after each trial, not for those that the journal has. */
  onTrial?(trial: Trial<ConfigurationOf<Space>>): void
}

/** A configuration and how it did in each rung it came to. */
export interface Trial<Configuration> {
  trial: number
  /** Of all its random numbers; see `TrialBudget`. */
  seed: number
  configuration: Configuration
  /** In the order of the rungs; the loss is Infinity where the trial failed. */
  results: readonly { rung: number; resource: number; loss: number; seconds: number; error?: string }[]
}

export interface TuneResult<Configuration> {
  best: Trial<Configuration>
  /** All of them, the best first: those that came further stand before the others. */
  trials: readonly Trial<Configuration>[]
  /** The resource of each rung, and how many trials it had. */
  rungs: readonly { resource: number; trials: number }[]
  /** How many results the journal had before. */
  resumed: number
}

const names = [
  ...[
    'space',
    'evaluate',
    'trials',
    'reduction',
    'minResource',
    'maxResource',
    'seed',
    'journal',
    'subject',
    'signal',
    'onTrial',
  ],
] as const

/**
 * Searches a space for the configuration of the lowest loss. The same options give the same trials in the same order, however
 * often the search was stopped in between.
 *
 * @throws {TypeError | RangeError} if an option is unknown or out of range
 * @throws {DataError} if the journal is that of another search
 * @throws {Error} if every trial failed
 */
export async function tune<Space extends SearchSpace>(
  options: TuneOptions<Space>,
): Promise<TuneResult<ConfigurationOf<Space>>> {
  refuseUnknownOptions('tune', options, names)
  const { space, trials: count = 27, reduction = 3, minResource = 1, maxResource, seed = 1 } = options
  const { signal, subject } = options
  requireSpace(space)
  requireInteger('tune', 'trials', count)
  requireNumber('tune', 'reduction', reduction, { low: 1 + Number.EPSILON })
  requireNumber('tune', 'minResource', minResource, { low: Number.MIN_VALUE })
  requireNumber('tune', 'maxResource', maxResource, { low: minResource })
  requireInteger('tune', 'seed', seed, 0)
  const header = { kind: 'tune 1', space, trials: count, reduction, minResource, maxResource, seed, subject }
  const journal = options.journal === undefined ? undefined : Journal.open(options.journal, header)
  try {
    const done = new Map(journal?.records.map((record) => [`${record.trial}/${record.rung}`, record]))
    const trials = drawConfigurations(space, count, new Random(seed)).map((configuration, trial) => ({
      trial,
      seed: hash(seed, trial),
      configuration,
      results: [] as Trial<ConfigurationOf<Space>>['results'][number][],
    }))
    const rungs = rungsOf(trials.length, { reduction, minResource, maxResource })
    let running = trials
    for (const [rung, { resource, trials: most }] of rungs.entries()) {
      running = running.slice(0, most)
      for (const each of running) {
        const { trial, configuration, results } = each
        const known = done.get(`${trial}/${rung}`)
        const budget = { resource, trial, rung, seed: each.seed, signal }
        const record = known ?? (await attempt(() => options.evaluate(configuration, budget), budget))
        const { loss, seconds, error } = record
        results.push({ rung, resource, loss: loss ?? Number.POSITIVE_INFINITY, seconds, error })
        if (known) continue
        journal?.append(record)
        options.onTrial?.(each)
      }
      running = running.filter(({ results }) => results[rung].loss < Number.POSITIVE_INFINITY).sort(byLoss)
    }
    const sorted = trials.toSorted(byLoss)
    if (sorted[0].results.at(-1)!.loss === Number.POSITIVE_INFINITY) {
      const [{ error = 'no finite loss' }] = sorted[0].results
      throw new Error(`tune: every trial failed, the first with: ${error}`)
    }
    return { best: sorted[0], trials: sorted, rungs, resumed: done.size }
  } finally {
    journal?.close()
  }
}

/**
 * The rungs of successive halving: as many as the resource may be multiplied by η before it is all there is, counted from the
 * last; each has 1/η of the trials of the one before, but at least one.
 */
export function rungsOf(
  trials: number,
  { reduction, minResource, maxResource }: { reduction: number; minResource: number; maxResource: number },
): { resource: number; trials: number }[] {
  // What is 3 to the fourth but for rounding counts as that.
  const most = Math.floor(Math.log(maxResource / minResource) / Math.log(reduction) + 1e-9)
  const useful = Math.ceil(Math.log(trials) / Math.log(reduction) - 1e-9)
  const last = Math.min(most, useful)
  return Array.from({ length: last + 1 }, (_, rung) => ({
    resource: maxResource / reduction ** (last - rung),
    trials: Math.max(1, Math.floor(trials / reduction ** rung + 1e-9)),
  }))
}

/** @throws what is no failure of the configuration: an abort, or an error of the program */
async function attempt(
  run: () => Promise<number> | number,
  { trial, rung, signal }: TrialBudget,
): Promise<TrialRecord> {
  signal?.throwIfAborted()
  const began = performance.now()
  const seconds = () => Math.round(performance.now() - began) / 1000
  try {
    const loss = await run()
    signal?.throwIfAborted()
    if (Number.isFinite(loss)) return { trial, rung, loss, seconds: seconds() }
    return { trial, rung, loss: null, seconds: seconds(), error: `the loss is ${loss}` }
  } catch (error) {
    if (!(error instanceof NonFiniteLossError)) throw error
    return { trial, rung, loss: null, seconds: seconds(), error: error.message }
  }
}

/** Who came further stands first, then who did better there, then who was drawn first. */
function byLoss(a: Trial<unknown>, b: Trial<unknown>): number {
  const [last, other] = [a.results.at(-1)!, b.results.at(-1)!]
  if (last.loss !== other.loss && (last.loss === Infinity || other.loss === Infinity))
    return last.loss === Infinity ? 1 : -1
  return other.rung - last.rung || last.loss - other.loss || a.trial - b.trial
}
