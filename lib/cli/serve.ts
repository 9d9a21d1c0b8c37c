/** `lstm serve`: the server as a process, which reloads on SIGHUP and ends on SIGTERM or SIGINT when it has answered everybody. */
import { FileFormatError } from '../errors.ts'
import { InputError } from '../forecast/input-error.ts'
import { setThreads } from '../kernels/index.ts'
import { growHeapFreely } from '../serve/heap.ts'
import { createServer, type InferenceServer, type ServeOptions } from '../serve/index.ts'
import type { Terminal } from './terminal.ts'

export interface ServeCommandOptions extends Omit<ServeOptions, 'models' | 'tls' | 'logStream'> {
  tlsCert?: string
  tlsKey?: string
  threads?: number
}

/** What of a process the command needs; tests bring their own. */
export interface Signals {
  on(signal: NodeJS.Signals, listener: () => void): unknown
  off(signal: NodeJS.Signals, listener: () => void): unknown
}

/** Runs until it is told to end. */
export async function serve(
  models: readonly string[],
  { tlsCert, tlsKey, threads, ...options }: ServeCommandOptions,
  terminal: Terminal,
  signals: Signals = process,
): Promise<void> {
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new InputError('expected --tls-cert and --tls-key, got one of them')
  if (threads !== undefined) setThreads(threads)
  const tls = tlsCert !== undefined && tlsKey !== undefined ? { cert: tlsCert, key: tlsKey } : undefined
  const logStream = { write: (line: string) => terminal.out(line) }
  await untilEnd(start({ ...options, models, tls, logStream }), signals)
}

async function start(options: ServeOptions): Promise<InferenceServer> {
  growHeapFreely()
  try {
    const server = await createServer(options)
    await server.listen()
    return server
  } catch (error) {
    // What the caller has asked for cannot be; the file's reader has said so itself.
    const isInput = error instanceof TypeError || error instanceof RangeError || isAddressError(error)
    if (isInput && !(error instanceof FileFormatError)) throw new InputError((error as Error).message)
    throw error
  }
}

function isAddressError(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
}

/** Heeds signals from the beginning: as the first process of a container it would else ignore them while models load. */
async function untilEnd(starting: Promise<InferenceServer>, signals: Signals): Promise<void> {
  let server: InferenceServer | undefined
  let end: () => void = () => {}
  const ended = new Promise<void>((resolve) => (end = resolve))
  const reload = (): void => void server?.reload()
  const stop = (signal: NodeJS.Signals) => async () => {
    // One that does not start says so to the caller.
    const started = await starting.catch(() => undefined)
    if (!started) return
    const { log } = started.app
    log.info(`${signal}: no new connections; requests that have come are answered`)
    const lost = await started.close()
    if (lost > 0) log.warn(`${lost} connections were cut off`)
    end()
  }
  const listeners = [
    ['SIGHUP', reload],
    ['SIGTERM', stop('SIGTERM')],
    ['SIGINT', stop('SIGINT')],
  ] as const
  for (const [signal, listener] of listeners) signals.on(signal, listener)
  try {
    server = await starting
    await ended
  } finally {
    for (const [signal, listener] of listeners) signals.off(signal, listener)
  }
}
