/** A plan whose runs begin when the test says so: what waits, and in what company it goes, can be told apart. */
import type { Plan } from '../../lib/inference/plan.ts'
import type { Kernels, RunPlanAsync } from '../../lib/kernels/contract.ts'

export interface HeldRun {
  call: RunPlanAsync
  isCancelled: boolean
}

export class HeldKernels {
  /** Those that have not ended, the oldest first. */
  readonly runs: HeldRun[] = []
  readonly #inner: Kernels
  /** What the back end throws instead of running. */
  refusal: Error | undefined
  /** What a run says it took, in microseconds a row. */
  perRow = 1
  #last = 0
  readonly #numbers = new Map<number, HeldRun>()

  /** Puts itself in the place of the plan's back end. */
  constructor(plan: Plan, executors = 1) {
    const inner = plan.kernels
    const kernels = Object.create(inner, {
      executors: { value: executors },
      afterMicroseconds: {
        value: (delay: number, then: () => void) => inner.afterMicroseconds(delay, then),
      },
      runPlan: { value: (call: RunPlanAsync) => inner.runPlan(call) },
      runPlanAsync: { value: (call: RunPlanAsync) => this.#hold(call) },
      cancelPlan: { value: (run: number) => this.#cancel(run) },
    })
    Object.assign(plan, { kernels })
    this.#inner = inner
  }

  /** Runs the oldest, and waits until everybody has heard. */
  async release(): Promise<void> {
    this.releaseNow()
    await turn()
  }

  /** Runs the oldest; who has been told so far has been told in this turn of the event loop. */
  releaseNow(): void {
    const { call } = this.runs.shift()!
    this.#inner.runPlan(call)
    call.done(undefined, (call.offsets ? call.offsets[call.B] : call.B * call.T) * this.perRow)
  }

  /** Until it is served; how long its rows took is known then. */
  async serve(request: Promise<unknown>): Promise<void> {
    await turn()
    await this.releaseAll()
    await request
  }

  /** Lets the oldest fail. */
  async fail(message: string): Promise<void> {
    this.runs.shift()!.call.done(new Error(message), 0)
    await turn()
  }

  /** Runs all there are, and all that come of it. */
  async releaseAll(): Promise<void> {
    while (this.runs.length > 0) await this.release()
  }

  #hold(call: RunPlanAsync): number {
    if (this.refusal) throw this.refusal
    const run = { call: { ...call }, isCancelled: false }
    this.runs.push(run)
    this.#numbers.set(++this.#last, run)
    return this.#last
  }

  #cancel(number: number): boolean {
    const index = this.runs.indexOf(this.#numbers.get(number)!)
    // The oldest has begun.
    if (index < 1) return false
    this.runs.splice(index, 1)[0].isCancelled = true
    return true
  }
}

/** Until the event loop has come round, with whatever follows from promises. */
export async function turn(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve))
}
