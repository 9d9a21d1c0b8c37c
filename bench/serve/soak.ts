/** Mixed load for a long time: steps, sequences, requests that are wrong and reloads; memory must stay flat. */
import { utimesSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../statistics.ts'
import { threeDigits } from '../table.ts'
import { badRequests } from './bad-requests.ts'
import { post } from './exchange.ts'
import { type Phase, runLoad, type Script } from './load.ts'
import { sumOf } from './metrics.ts'
import { network, sequenceLength, writeModel } from './network.ts'
import { sequenceScripts, streamScripts } from './requests.ts'
import { type Service, startService } from './service.ts'
import { countStatuses } from './summary.ts'

/** A stretch of load; connections are opened and sequences started anew in each. */
const stretch = 5
/** Requests a second: well below what a core can do, so that what is refused is a fault. */
const stepRate = 1000
const sequenceRate = 40
const connections = 100
/** The heap finds its size in the first part; the last must not be larger than the one after the first. */
const warmUpShare = 0.25
/** Memory that the allocators keep in pieces. */
const tolerated = 1.1

/** @returns what went wrong, in sentences */
export async function soak(seconds: number): Promise<string[]> {
  const files = await writeModel(network)
  const service = await startService('lstm-native', { files, network })
  const failures = new Failures()
  const resident: number[] = []
  const end = performance.now() + seconds * 1000
  const isOver = () => performance.now() >= end
  const { inputSize } = network
  try {
    await Promise.all([
      load(service, streamScripts({ connections, inputSize }), stepRate, { isOver, failures }),
      load(service, sequenceScripts({ connections: 16, inputSize, steps: sequenceLength }), sequenceRate, {
        isOver,
        failures,
      }),
      sendBadRequests(service, { isOver, failures }),
      reloadAgainAndAgain(service, files.safetensors, isOver),
      watchMemory(service, resident, isOver),
    ])
    failures.push(...(await readMetrics(service)))
  } finally {
    const code = await service.stop()
    if (code !== 0) failures.push(`expected the server to end with code 0, got ${code}`)
    files.remove()
  }
  failures.push(...judgeMemory(resident))
  return failures.sentences
}

interface Watch {
  isOver(): boolean
  failures: Failures
}

/** What went wrong once may go wrong ten thousand times. */
class Failures {
  readonly #counts = new Map<string, number>()

  push(...sentences: readonly string[]): void {
    for (const each of sentences) this.#counts.set(each, (this.#counts.get(each) ?? 0) + 1)
  }

  get sentences(): string[] {
    return [...this.#counts].map(([each, count]) => (count === 1 ? each : `${each} (${count} times)`))
  }
}

async function load(
  { port }: Service,
  scripts: readonly Script[],
  rate: number,
  { isOver, failures }: Watch,
): Promise<void> {
  const phases: Phase[] = [{ rate, seconds: stretch }]
  for (let seed = 1; !isOver(); seed++) {
    const { records } = await runLoad({ port, scripts, phases, seed })
    const { 200: answered = 0, ...others } = countStatuses(records.status)
    if (answered === 0) failures.push(`no request of ${records.status.length} was answered`)
    for (const [status, count] of Object.entries(others)) {
      failures.push(`${count} of ${records.status.length} good requests ended with status ${status}`)
    }
  }
}

async function sendBadRequests({ port }: Service, { isOver, failures }: Watch): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    const bad = badRequests[i % badRequests.length]
    const { status, body } = await post(port, bad)
    if (status < 400 || status > 499 || !/expected|send /.test(body.toString())) {
      failures.push(
        `${bad.name}: expected a 4xx that says what was expected, got ${status} ${body.toString('utf8', 0, 200)}`,
      )
    }
    await sleep(10)
  }
}

/** By signal and by a file that has changed, in turns. */
async function reloadAgainAndAgain(service: Service, path: string, isOver: () => boolean): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    await sleep(1000 * stretch)
    if (i % 2 === 0) service.signal('SIGHUP')
    else utimesSync(path, new Date(), new Date())
  }
}

async function watchMemory(service: Service, resident: number[], isOver: () => boolean): Promise<void> {
  // After a collection: the heap may grow to three times what lives, which takes longer than a minute and says nothing of leaks.
  for (; !isOver(); await sleep(2000)) resident.push(await service.collect())
}

async function readMetrics(service: Service): Promise<string[]> {
  const text = await service.metrics()
  const reloads = sumOf(text, 'lstm_model_reloads_total')
  const requests = sumOf(text, 'lstm_inference_requests_total')
  console.log(`${requests} inference requests, ${reloads} reloads`)
  return reloads === 0 ? ['expected reloads, got none'] : []
}

function judgeMemory(resident: readonly number[]): string[] {
  const settled = resident.slice(Math.floor(warmUpShare * resident.length))
  const third = Math.max(1, Math.floor(settled.length / 3))
  const [first, last] = [settled.slice(0, third), settled.slice(-third)].map(median)
  const megabytes = (bytes: number) => `${threeDigits(bytes / 2 ** 20)} MB`
  console.log(
    `Resident set of what lives: ${megabytes(first)} after the beginning, ${megabytes(last)} at the end`,
  )
  if (last <= tolerated * first) return []
  return [`memory grew from ${megabytes(first)} to ${megabytes(last)}`]
}
