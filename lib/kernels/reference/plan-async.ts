/**
 * Runs of plans for callers that do not wait. The reference has no thread of its own: a run takes a turn of the event loop,
 * and what comes in meanwhile waits.
 */
import type { RunPlanAsync } from '../contract.ts'
import { runPlan } from './plan-run.ts'

const waiting = new Map<number, NodeJS.Immediate>()
let last = 0

export function runPlanAsync(call: RunPlanAsync): number {
  const run = ++last
  const immediate = setImmediate(() => {
    waiting.delete(run)
    const begin = performance.now()
    let failure: Error | undefined
    try {
      runPlan(call)
    } catch (error) {
      failure = error as Error
    }
    call.done(failure, (performance.now() - begin) * 1000)
  })
  waiting.set(run, immediate)
  return run
}

export function cancelPlan(run: number): boolean {
  clearImmediate(waiting.get(run))
  return waiting.delete(run)
}

export function afterMicroseconds(delay: number, callback: () => void): void {
  setTimeout(callback, Math.ceil(delay / 1000))
}
