/** The native back end: the only file that loads the addon. */
import { BackendError } from '../errors.ts'
import type { BackendReport, Target } from './index.ts'
import type { Kernels } from './contract.ts'

export interface NativeKernels extends Kernels {
  readonly available: readonly Target[]
  setTarget(target: Target, reason: string): void
  setThreads(count: number): void
  report(): Omit<BackendReport, 'name' | 'reason'>
}

/** Loads the addon, built here or prebuilt. @throws {BackendError} if there is none for this platform */
export function loadNative(): NativeKernels {
  throw new BackendError('the addon is not built')
}
