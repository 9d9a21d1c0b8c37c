/** Runs a golden case on every back end of this machine. */
import { BackendError } from '../../lib/errors.ts'
import { type BackendName, backend, useBackend } from '../../lib/kernels/index.ts'
import type { FloatDataType } from '../../lib/layers/initialisation.ts'
import type { Golden, Outcome, Runner } from './case.ts'
import { ctcRunner } from './ctc.ts'
import { lstmRunner } from './lstm.ts'
import { trajectoryRunner } from './trajectory.ts'

/** What runs the cases of each kind. Those of other kinds are skipped. */
export const runners: Record<string, Runner> = {
  lstm: lstmRunner,
  trajectory: trajectoryRunner,
  ctc: ctcRunner,
}

export interface Precision {
  name: string
  dataType: FloatDataType
  backend: BackendName
}

/** The reference in both data types and every native target of this CPU, or why there is none. */
export function listPrecisions(): { precisions: Precision[]; withoutNative?: string } {
  const precisions: Precision[] = [
    { name: 'float64 reference', dataType: 'float64', backend: 'reference' },
    { name: 'float32 reference', dataType: 'float32', backend: 'reference' },
  ]
  try {
    useBackend('native')
  } catch (error) {
    if (error instanceof BackendError) return { precisions, withoutNative: error.message }
    throw error
  }
  for (const target of backend().available) {
    precisions.push({ name: `float32 ${target}`, dataType: 'float32', backend: target })
  }
  return { precisions }
}

export interface Verdict extends Outcome {
  passed: boolean
}

/** Runs one case of a kind in `runners`. */
export function check(golden: Golden, { dataType, backend: name }: Precision): Verdict {
  useBackend(name)
  const { run, bounds } = runners[golden.kind]
  const outcome = run(golden, dataType)
  const bound = bounds[dataType]
  const passed = outcome.outputs.error <= bound.outputs && outcome.gradients.error <= bound.gradients
  return { ...outcome, passed }
}
