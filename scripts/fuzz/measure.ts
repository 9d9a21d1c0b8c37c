/** What an input did: which error or model came of it, what time and memory it took, and whether that is right. */
import { BackendError, FileFormatError } from '../../lib/errors.ts'

/** Of processor time: what another process does on the machine is no fault of a reader. */
export const mostMilliseconds = 1000
const memoryFactor = 3
const memorySlack = 64e6

export interface Outcome {
  /** The code of the error, `accepted`, or undefined where a rule was broken. */
  code?: string
  broken?: string
  milliseconds: number
  /** Bytes that the process grew by. */
  memory: number
}

/** Runs a reader, which throws FileFormatError or checks what it made itself. */
export async function measure(size: number, read: () => unknown): Promise<Outcome> {
  const rss = process.memoryUsage.rss()
  const buffers = process.memoryUsage().arrayBuffers
  const before = process.resourceUsage()
  let code = 'accepted'
  let broken: string | undefined
  let check: unknown
  const tried = async (call: () => unknown): Promise<void> => {
    try {
      check = await call()
    } catch (error) {
      if (error instanceof FileFormatError) code = error.code
      else broken = describe(error)
    }
  }
  await tried(read)
  const after = process.resourceUsage()
  const milliseconds =
    (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1000
  // The peak of the process counts where this input raised it; arrays never written to count as well.
  const peak = after.maxRSS > before.maxRSS ? after.maxRSS * 1024 - rss : 0
  const memory = Math.max(0, peak, process.memoryUsage().arrayBuffers - buffers)
  if (!broken && milliseconds > mostMilliseconds)
    broken = `took ${milliseconds.toFixed(0)} ms of processor time`
  if (!broken && memory > memoryFactor * size + memorySlack)
    broken = `took ${(memory / 1e6).toFixed(0)} MB for ${size} bytes`
  if (!broken && typeof check === 'function') await tried(check as () => unknown)
  return { code: broken ? undefined : code, broken, milliseconds, memory }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`
  const ours = error instanceof BackendError ? ' (no error of a file)' : ''
  return `threw ${error.stack ?? error.message}${ours}`
}
