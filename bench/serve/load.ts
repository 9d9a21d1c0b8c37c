/** Runs the load generator, a process of its own, and reads what it recorded. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildProgram, compiler } from '../program.ts'

/** The bytes one connection sends: `first` until it has been answered with 200, `next` from then on. */
export interface Script {
  first: Uint8Array
  next: Uint8Array
}

/** So many requests a second, as a Poisson process, for so many seconds. */
export interface Phase {
  rate: number
  seconds: number
}

export interface LoadOptions {
  port: number
  /** One for each connection. */
  scripts: readonly Script[]
  /** Closed loop for so long: each connection sends its next request when it has its answer. */
  seconds?: number
  /** Open loop instead. */
  phases?: readonly Phase[]
  /** Of the arrivals of an open loop; default 1. */
  seed?: number
}

/** What became of each request, in the order in which they ended. */
export interface Records {
  /** Seconds after the run began: when it was sent, in an open loop when it arrived. */
  start: Float64Array
  /** Seconds from `start` to the last byte of the answer. */
  latency: Float64Array
  /** Of HTTP; 0 where no answer came. */
  status: Uint16Array
  hasRetryAfter: Uint8Array
}

export interface LoadResult {
  records: Records
  /** Of the run, without what was waited for after its last request. */
  seconds: number
  /** Processor time of the generator. */
  processorSeconds: number
  /** Connections that the server ended. */
  reconnections: number
}

const recordBytes = 16
const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Wshadow', '-Wconversion']
const sources = ['load.cc', 'connection.cc', 'options.cc'].map(inFolder)
const headers = ['connection.h', 'options.h'].map(inFolder)

function inFolder(name: string): string {
  return join(import.meta.dirname, 'load', name)
}

/** @throws {Error} if the generator cannot be built, or the server cannot be reached */
export async function runLoad({
  port,
  scripts,
  seconds,
  phases,
  seed = 1,
}: LoadOptions): Promise<LoadResult> {
  const program = buildGenerator()
  const folder = await mkdtemp(join(tmpdir(), 'lstm-load-'))
  try {
    const [requests, records] = [join(folder, 'requests'), join(folder, 'records')]
    await writeFile(requests, joinScripts(scripts))
    const args = ['--port', port, '--requests', requests, '--records', records, '--seed', seed]
    if (seconds) args.push('--seconds', seconds)
    for (const phase of phases ?? []) args.push('--phase', `${phase.rate},${phase.seconds}`)
    const { stdout } = await promisify(execFile)(program, args.map(String))
    return { ...JSON.parse(stdout), records: readRecords(await readFile(records)) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Compiles the generator if that is needed, so that the time is not spent during a measurement. */
export function buildGenerator(): string {
  if (process.platform !== 'linux') {
    throw new Error(`the load generator runs on Linux only (epoll, timerfd), not on ${process.platform}`)
  }
  return buildProgram({
    name: 'load',
    files: [...sources, ...headers],
    recipe: flags,
    compile: (path) => execFileSync(compiler(), [...flags, ...sources, '-o', path]),
  })
}

function joinScripts(scripts: readonly Script[]): Buffer {
  const blocks = scripts.flatMap(({ first, next }) => [first, next])
  return Buffer.concat(
    blocks.flatMap((bytes) => {
      const size = Buffer.alloc(4)
      size.writeUInt32LE(bytes.length)
      return [size, bytes]
    }),
  )
}

function readRecords(bytes: Buffer): Records {
  const count = bytes.length / recordBytes
  const records: Records = {
    start: new Float64Array(count),
    latency: new Float64Array(count),
    status: new Uint16Array(count),
    hasRetryAfter: new Uint8Array(count),
  }
  for (let i = 0, at = 0; i < count; i++, at += recordBytes) {
    records.start[i] = bytes.readDoubleLE(at)
    records.latency[i] = bytes.readFloatLE(at + 8)
    records.status[i] = bytes.readUInt16LE(at + 12)
    records.hasRetryAfter[i] = bytes.readUInt16LE(at + 14)
  }
  return records
}
