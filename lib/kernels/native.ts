/** The native back end: the only file that loads the addon. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BackendError } from '../errors.ts'
import type { FloatArray, Kernels, Unary } from './contract.ts'
import type { BackendReport, Target } from './index.ts'
import {
  compileNativePlan,
  type PlanAddon,
  packNativeLinear,
  packNativeLstm,
  runNativePlan,
  runNativePlanAsync,
} from './native-plan.ts'

/** What the addon exports: the contract on Float32Array, and its own administration. */
interface Addon
  extends Omit<
      Kernels,
      'name' | 'layout' | 'linearPack' | 'lstmPack' | 'compilePlan' | 'runPlan' | 'runPlanAsync' | 'executors'
    >,
    PlanAddon {
  available(): Target[]
  setTarget(target: Target): void
  setThreads(count: number): void
  /** Overrules the cost model that decides how the LSTM is shared out among threads. */
  setSharing(sharing: string): void
  report(): Omit<BackendReport, 'name' | 'reason'>
  /** exp, sigmoid and tanh of the target in use as the LSTM has them; for the accuracy tests. */
  activation(kind: Unary, x: FloatArray, y: FloatArray): void
}

export interface NativeKernels
  extends Omit<Addon, 'available' | 'linearPack' | 'lstmPack' | 'runPlan' | 'runPlanAsync'>,
    Kernels {
  readonly name: 'native'
  layout: Target
  /** The targets of this CPU, the best first. */
  readonly available: readonly Target[]
}

/**
 * Loads the addon: the one built in this checkout, or the prebuild of this platform.
 *
 * @throws {BackendError} if there is none, or it does not load here
 */
export function loadNative(): NativeKernels {
  const require = createRequire(import.meta.url)
  // lib/kernels/native.ts and dist/kernels/native.js both stand two folders below the package's root.
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
  let addon: Addon
  try {
    addon = require('node-gyp-build')(root)
  } catch (error) {
    throw new BackendError(
      `the native addon of lstm-native does not load on ${process.platform}-${process.arch} ` +
        `(${(error as Error).message.split('\n')[0]}). Build it with "npm rebuild lstm-native", which needs a C++ ` +
        'compiler, or set LSTM_NATIVE_BACKEND=reference to run on the slow reference path',
      { cause: error },
    )
  }
  const available = addon.available()
  return {
    ...addon,
    name: 'native',
    layout: available[0],
    available,
    linearPack: (call) => packNativeLinear(addon, call),
    lstmPack: (pass, call) => packNativeLstm(addon, pass, call),
    compilePlan: (steps) => compileNativePlan(addon, steps),
    runPlan: (call) => runNativePlan(addon, call),
    runPlanAsync: (call) => runNativePlanAsync(addon, call),
    get executors() {
      return addon.report().threads
    },
    setTarget(target) {
      try {
        addon.setTarget(target)
        this.layout = target
      } catch (error) {
        throw new BackendError(
          `useBackend: ${(error as Error).message}; available: ${available.join(', ')}`,
          {
            cause: error,
          },
        )
      }
    },
  }
}
