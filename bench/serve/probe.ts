/**
 * Preloaded into a server's process (`node --import`): measures there, while its parent says so, the delay of the event loop,
 * processor time and the resident set. The server itself knows nothing of it.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface ProbeReport {
  /** Seconds between two turns of the event loop that were to be one millisecond apart: so never below that. */
  eventLoop: { p50: number; p99: number; max: number }
  processorSeconds: number
  /** Bytes: the largest seen, and the last. */
  resident: { peak: number; last: number }
}

export type ProbeRequest = 'begin' | 'end' | 'collect'

const resolution = 1
const samplingInterval = 50

const delay = monitorEventLoopDelay({ resolution })
let processor = process.cpuUsage()
let peak = 0
let sampling: NodeJS.Timeout | undefined

function sample(): number {
  const bytes = process.memoryUsage.rss()
  peak = Math.max(peak, bytes)
  return bytes
}

function begin(): void {
  peak = 0
  sample()
  sampling = setInterval(sample, samplingInterval).unref()
  delay.reset()
  delay.enable()
  processor = process.cpuUsage()
}

function end(): ProbeReport {
  const { user, system } = process.cpuUsage(processor)
  delay.disable()
  clearInterval(sampling)
  const last = sample()
  return {
    eventLoop: { p50: delay.percentile(50) / 1e9, p99: delay.percentile(99) / 1e9, max: delay.max / 1e9 },
    processorSeconds: (user + system) / 1e6,
    resident: { peak, last },
  }
}

/** Of what lives: what could be collected is. @returns bytes of the resident set */
function collect(): number {
  setFlagsFromString('--expose-gc')
  const gc: () => void = runInNewContext('gc')
  gc()
  return process.memoryUsage.rss()
}

const answers: Record<ProbeRequest, () => unknown> = {
  begin: () => {
    begin()
    return 'begun'
  },
  end,
  collect,
}

process.on('message', (request: ProbeRequest) => {
  process.send!(answers[request]())
})
// The channel to the parent must not keep a server alive that has been told to end; without a parent nobody would tell it.
process.channel?.unref()
process.on('disconnect', () => process.exit())
