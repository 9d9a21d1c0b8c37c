/** Servers under measurement: ours as its users start it, and the same protocol in front of onnxruntime-node. */
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { compiled } from './compile.ts'
import { get } from './exchange.ts'
import { Measured } from './measured.ts'
import { modelName } from './names.ts'
import { type ModelFiles, type Network, writeModel } from './network.ts'
import type { ProbeReport } from './probe.ts'

export interface Service {
  readonly name: Contender
  readonly port: number
  /** Starts to measure inside the server's process. */
  begin(): Promise<void>
  end(): Promise<ProbeReport>
  /** Makes V8 collect what it can. @returns bytes of the resident set after it */
  collect(): Promise<number>
  /** The text of /metrics. */
  metrics(): Promise<string>
  /** SIGTERM, and waits until it is gone. @returns its exit code */
  stop(): Promise<number | null>
  signal(signal: NodeJS.Signals): void
}

export interface ServiceOptions {
  files: ModelFiles
  network: Network
  /** Further options of ours, as on the command line. */
  options?: readonly string[]
}

export type Contender = 'lstm-native' | 'onnxruntime-node' | 'onnxruntime-node, 1 thread' | 'no model'

/** Starts one and waits until it is ready. @throws {Error} with its last words if it does not become so */
export async function startService(
  contender: Contender,
  { files, network, options = [] }: ServiceOptions,
): Promise<Service> {
  const port = await freePort()
  const execArgv = ['--import', pathToFileURL(compiled('bench/serve/probe.ts')).href]
  const measured =
    contender === 'lstm-native'
      ? new Measured(
          contender,
          compiled('lib/cli/main.ts'),
          ['serve', `${modelName}=${files.safetensors}`, '--port', String(port), ...options],
          { execArgv },
        )
      : new Measured(
          contender,
          compiled('bench/serve/peer.ts'),
          [peerOptions(contender, { files, network, port })],
          {
            execArgv,
          },
        )
  await untilReady(measured, port)
  return {
    name: contender,
    port,
    begin: async () => void (await measured.ask('begin')),
    end: () => measured.ask('end'),
    collect: () => measured.ask('collect'),
    metrics: async () => (await get(port, '/metrics')).body.toString(),
    stop: () => measured.end(),
    signal: (signal) => measured.signal(signal),
  }
}

/** What peer.ts reads from its command line. */
export interface PeerOptions {
  port: number
  packageFile: string
  model: string
  network: Network
  threads?: number
  /** Answers with zeros, computed by nobody: what HTTP alone costs. */
  isEmpty: boolean
}

function peerOptions(
  contender: Contender,
  { files, network, port }: Pick<ServiceOptions, 'files' | 'network'> & { port: number },
): string {
  const options: PeerOptions = {
    port,
    packageFile: new URL('../package.json', import.meta.url).pathname,
    model: files.onnx,
    network,
    threads: contender === 'onnxruntime-node, 1 thread' ? 1 : undefined,
    isEmpty: contender === 'no model',
  }
  return JSON.stringify(options)
}

const readyWithin = 20_000

async function untilReady(measured: Measured, port: number): Promise<void> {
  for (const start = performance.now(); performance.now() - start < readyWithin; await sleep(50)) {
    if (measured.hasExited) break
    try {
      if ((await get(port, '/v2/health/ready')).status === 200) return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
    }
  }
  await measured.end('SIGKILL')
  throw new Error(`${measured.name}: expected it to be ready within ${readyWithin} ms: ${measured.lastWords}`)
}

/** One that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A server for each contender, all of one model, for as long as `use` takes. */
export async function withServices<Result>(
  contenders: readonly Contender[],
  network: Network,
  use: (services: readonly Service[]) => Promise<Result>,
): Promise<Result> {
  const files = await writeModel(network)
  const services: Service[] = []
  try {
    for (const contender of contenders) services.push(await startService(contender, { files, network }))
    return await use(services)
  } finally {
    await Promise.all(services.map((service) => service.stop()))
    files.remove()
  }
}
