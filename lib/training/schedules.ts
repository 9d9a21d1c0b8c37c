/**
 * Learning-rate schedules. A schedule is a description, without state, that `fit` begins anew in every run:
 * the rate of each update from where it stands in the run, and, for `plateau`, from the loss after each
 * epoch.
 */
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'

/** Where the run stands when it is about to make an update. */
export interface Position {
  /** The optimizer's own learning rate. */
  base: number
  /** Updates made before this one. */
  step: number
  /** Epochs completed. */
  epoch: number
  /** Updates of the whole run, if their number is known beforehand. */
  steps?: number
  /** Epochs of the whole run. */
  epochs: number
}

export interface Schedule {
  begin(): RunningSchedule
}

export interface RunningSchedule {
  rate(position: Position): number
  /** Told the validation loss, or else the training loss, after each epoch. */
  endEpoch?(loss: number): void
  /** What a checkpoint keeps of it, as JSON. */
  state?: unknown
}

/** Whether a schedule counts completed epochs or updates. */
export type Unit = 'epoch' | 'step'

/**
 * base · factor^⌊t/every⌋, as torch.optim.lr_scheduler.StepLR. `factor` defaults to 0.1, `unit` to 'epoch'.
 */
export function stepDecay(options: { every: number; factor?: number; unit?: Unit }): Schedule {
  refuseUnknownOptions('stepDecay', options, ['every', 'factor', 'unit'])
  const { every, factor = 0.1, unit = 'epoch' } = options
  requireInteger('stepDecay', 'every', every)
  requireNumber('stepDecay', 'factor', factor, { low: 0 })
  requireUnit('stepDecay', unit)
  return stateless((position) => position.base * factor ** Math.floor(position[unit] / every))
}

/**
 * minimum + (base - minimum)·(1 + cos(π·t/length))/2, and `minimum` from t = length on (Loshchilov & Hutter
 * 2017; as torch.optim.lr_scheduler.CosineAnnealingLR up to there).
 *
 * @param options.length in `unit`s; default the whole run, which in steps must have a known number of batches
 * @param options.minimum default 0
 * @param options.unit default 'step'
 */
export function cosine(options: { length?: number; minimum?: number; unit?: Unit } = {}): Schedule {
  refuseUnknownOptions('cosine', options, ['length', 'minimum', 'unit'])
  const { length, minimum = 0, unit = 'step' } = options
  if (length !== undefined) requireNumber('cosine', 'length', length, { low: Number.MIN_VALUE })
  requireNumber('cosine', 'minimum', minimum, { low: 0 })
  requireUnit('cosine', unit)
  return stateless((position) => {
    const whole = length ?? (unit === 'epoch' ? position.epochs : position.steps)
    if (whole === undefined) {
      throw new TypeError(
        "cosine: the data do not tell how many batches an epoch has; give length, or unit: 'epoch'",
      )
    }
    const t = Math.min(position[unit], whole)
    return minimum + ((position.base - minimum) * (1 + Math.cos((Math.PI * t) / Math.max(whole, 1)))) / 2
  })
}

/**
 * Rises in a line to the base rate, reached at t = length, and goes on with the schedule `next`, whose time
 * starts there. The rate is base·(start + (1 - start)·t/length), as torch.optim.lr_scheduler.LinearLR with
 * `start_factor`.
 *
 * @param options.start the first rate as a part of the base; default 1/length, so that no update is wasted
 * @param options.unit default 'step'
 * @param options.next default: the rate stays
 */
export function warmUp(options: { length: number; start?: number; unit?: Unit; next?: Schedule }): Schedule {
  refuseUnknownOptions('warmUp', options, ['length', 'start', 'unit', 'next'])
  const { length, start = 1 / options.length, unit = 'step', next } = options
  requireInteger('warmUp', 'length', length)
  requireNumber('warmUp', 'start', start, { low: 0, high: 1 })
  requireUnit('warmUp', unit)
  return {
    begin() {
      const after = next?.begin()
      const whole = unit === 'step' ? 'steps' : 'epochs'
      return {
        rate(position) {
          const t = position[unit]
          if (t < length) return position.base * (start + ((1 - start) * t) / length)
          const total = position[whole]
          const rest = {
            ...position,
            [unit]: t - length,
            [whole]: total === undefined ? undefined : total - length,
          }
          return after ? after.rate(rest) : position.base
        },
        endEpoch: (loss) => after?.endEpoch?.(loss),
        get state() {
          return after?.state
        },
        set state(state) {
          if (after) after.state = state
        },
      }
    },
  }
}

/**
 * Multiplies the rate by `factor` when the loss has not fallen below best·(1 - threshold) for more than
 * `patience` epochs, as torch.optim.lr_scheduler.ReduceLROnPlateau (for losses below 0, best·(1 +
 * threshold)). The loss is that of validation, where there is a validation set.
 *
 * @param options.factor default 0.1
 * @param options.patience default 10
 * @param options.threshold default 1e-4
 * @param options.minimum the lowest rate; default 0
 */
export function plateau(
  options: { factor?: number; patience?: number; threshold?: number; minimum?: number } = {},
): Schedule {
  refuseUnknownOptions('plateau', options, ['factor', 'patience', 'threshold', 'minimum'])
  const { factor = 0.1, patience = 10, threshold = 1e-4, minimum = 0 } = options
  requireNumber('plateau', 'factor', factor, { low: 0, high: 1, open: true })
  requireInteger('plateau', 'patience', patience, 0)
  requireNumber('plateau', 'threshold', threshold, { low: 0 })
  requireNumber('plateau', 'minimum', minimum, { low: 0 })
  return {
    begin() {
      const state: { best: number | null; waited: number; cuts: number } = { best: null, waited: 0, cuts: 0 }
      return {
        rate: ({ base }) => Math.max(base * factor ** state.cuts, Math.min(base, minimum)),
        endEpoch(loss) {
          const { best } = state
          if (best === null || loss < best - threshold * Math.abs(best))
            Object.assign(state, { best: loss, waited: 0 })
          else if (++state.waited > patience) Object.assign(state, { waited: 0, cuts: state.cuts + 1 })
        },
        get state() {
          return state
        },
        set state(saved) {
          Object.assign(state, saved)
        },
      }
    },
  }
}

/** A schedule from a function of the position, or the base rate if there is none. */
export function beginSchedule(
  schedule: Schedule | ((position: Position) => number) | undefined,
): RunningSchedule {
  if (schedule === undefined) return { rate: ({ base }) => base }
  return typeof schedule === 'function' ? { rate: schedule } : schedule.begin()
}

function stateless(rate: (position: Position) => number): Schedule {
  return { begin: () => ({ rate }) }
}

function requireUnit(place: string, unit: Unit): void {
  if (unit !== 'epoch' && unit !== 'step')
    throw new TypeError(`${place}: expected unit 'epoch' or 'step', got ${unit}`)
}
