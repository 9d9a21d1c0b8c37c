/**
 * The child process of one contender: `worker.ts NAME`. Reads one JSON request a line from stdin and answers with one
 * a line on stdout, as contenders/pytorch.py does. Nothing here waits in a loop, so an idle worker costs nothing.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type Contender, contenders, type Prepared } from './contenders/contender.ts'
import { readTensors, writeTensors } from './problem.ts'
import type { PrepareRequest, Reply, Request, TimeRequest } from './protocol.ts'

const reply = process.stdout.write.bind(process.stdout)
// What libraries print must not end up between the replies.
process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write

const { module, argument } = contenders[process.argv[2]]
const { create } = (await import(`./contenders/${module}`)) as {
  create(argument?: string): Promise<Contender>
}
const contender = await create(argument)
const importedMemory = peakMemory()
let prepared: Prepared

let sleptCpu = process.cpuUsage()
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request
  const answer = request.command === 'prepare' ? await prepare(request) : await time(request)
  sleptCpu = process.cpuUsage()
  reply(`${JSON.stringify(answer)}\n`)
}

async function prepare(request: PrepareRequest): Promise<Reply> {
  const tensors = readTensors(request.file, request.tensors)
  const lengths = request.lengths ? Int32Array.from(request.lengths) : undefined
  prepared = await contender.prepare({ case: request.case, threads: request.threads, tensors, lengths })
  for (let i = 0; i < request.repetitions; i++) await prepared.run()
  return { description: contender.describe(), tensors: writeTensors(request.results, prepared.results()) }
}

async function time({ seconds, inner, warm }: TimeRequest): Promise<Reply> {
  const { user, system } = process.cpuUsage(sleptCpu)
  globalThis.gc?.()
  if (warm) await prepared.run()
  const samples: number[] = []
  const began = performance.now()
  while (samples.length === 0 || performance.now() - began < seconds * 1e3) {
    const before = performance.now()
    for (let i = 0; i < inner; i++) {
      // A synchronous contender must not pay for a turn of the event loop.
      const pending = prepared.run()
      if (pending instanceof Promise) await pending
    }
    samples.push((performance.now() - before) / 1e3 / inner)
  }
  const idle = (user + system) / 1e6
  return { samples, idle, memory: { imported: importedMemory, peak: peakMemory() } }
}

/**
 * Bytes of the largest resident set so far. Where there is /proc, not by getrusage: its maximum begins with that of the
 * process that started this one.
 */
function peakMemory(): number {
  const status = '/proc/self/status'
  if (!existsSync(status)) return process.resourceUsage().maxRSS * 1024
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(status, 'utf8'))![1]) * 1024
}
