/** The choice of a back end. Float64 always runs on the reference; float32 runs on what `backend()` reports. */
import { BackendError } from '../errors.ts'
import type { FloatArray, Kernels } from './contract.ts'
import { loadNative, type NativeKernels } from './native.ts'
import { referenceKernels } from './reference/index.ts'

export type * from './contract.ts'

/** Instruction sets the native kernels are built for; `native` means the best this CPU has. */
export const targets = ['scalar', 'avx2', 'avx512', 'neon'] as const
export type Target = (typeof targets)[number]
export type BackendName = 'native' | 'reference' | Target

export interface BackendReport {
  /** Which implementation float32 runs on. */
  name: 'native' | 'reference'
  /** The instruction set in use, or `javascript`. */
  target: Target | 'javascript'
  /** Every target that this CPU could run. */
  available: readonly Target[]
  /** The matrix multiplication: our own, or OpenBLAS with its version. */
  gemm: string
  threads: number
  /** Why this and no other, in a sentence. */
  reason: string
}

let native: NativeKernels | undefined
let active: Kernels | undefined
let reason = ''

/** The kernels for arrays of this type. */
export function kernelsFor(array: FloatArray | Int32Array): Kernels {
  return array instanceof Float32Array ? (active ?? initialise()) : referenceKernels
}

/**
 * Chooses the back end for float32, for this thread. `LSTM_NATIVE_BACKEND` does the same at start.
 *
 * @throws {BackendError} if the name is unknown, the addon cannot be loaded, or this CPU lacks the target
 */
export function useBackend(name: BackendName): void {
  choose(name, `chosen by useBackend('${name}')`)
}

/** Which back end is in use, and why. */
export function backend(): BackendReport {
  const { name } = active ?? initialise()
  if (name === 'reference' || !native) {
    return { name: 'reference', target: 'javascript', available: [], gemm: 'plain loops', threads: 1, reason }
  }
  return { name, reason, ...native.report() }
}

/**
 * Sets how many threads the native kernels use when this JavaScript thread calls them. Default: the container's CPU quota, or
 * `LSTM_NATIVE_THREADS`. Results do not depend on it by a single bit.
 *
 * @throws {RangeError} unless 1 ≤ count ≤ 256
 */
export function setThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > 256) {
    throw new RangeError(`setThreads: expected an integer from 1 to 256, got ${count}`)
  }
  if ((active ?? initialise()).name === 'native') native!.setThreads(count)
}

function initialise(): Kernels {
  const asked = process.env.LSTM_NATIVE_BACKEND
  if (asked) return choose(asked as BackendName, `LSTM_NATIVE_BACKEND=${asked}`)
  // A wrong setting is an error to be seen, not a reason to run without the addon.
  threadsAsked()
  sharingAsked()
  try {
    return choose('native', 'the best target of this CPU')
  } catch (error) {
    // A missing addon makes a slow program, not a broken one; `backend()` says so and why.
    reason = `the addon did not load: ${(error as Error).message}`
    return (active = referenceKernels)
  }
}

function choose(name: BackendName, why: string): Kernels {
  if (name !== 'native' && name !== 'reference' && !targets.includes(name)) {
    throw new BackendError(`${why}: expected native, reference or one of ${targets.join(', ')}`)
  }
  if (name === 'reference') active = referenceKernels
  else {
    if (!native) {
      native = loadNative()
      native.setThreads(threadsAsked())
      native.setSharing(sharingAsked())
    }
    native.setTarget(name === 'native' ? native.available[0] : name)
    active = native
  }
  reason = why
  return active
}

/** `LSTM_NATIVE_THREADS`, or 0, which leaves the number to the addon. */
function threadsAsked(): number {
  const asked = process.env.LSTM_NATIVE_THREADS
  if (!asked) return 0
  const count = Number(asked)
  if (Number.isInteger(count) && count >= 1 && count <= 256) return count
  throw new BackendError(`LSTM_NATIVE_THREADS: expected an integer from 1 to 256, got ${asked}`)
}

/** `LSTM_NATIVE_SHARING`, or `automatic`, which leaves the choice to the cost model. */
function sharingAsked(): string {
  const asked = process.env.LSTM_NATIVE_SHARING || 'automatic'
  if (['automatic', 'rows', 'units', 'layers'].includes(asked)) return asked
  throw new BackendError(`LSTM_NATIVE_SHARING: expected automatic, rows, units or layers, got ${asked}`)
}
