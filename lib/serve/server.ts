/** The server: what createServer puts together, and how it starts, reloads and ends. */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify'
import { KeyRing } from './access.ts'
import { limitConnections, type Refusals, refuseClient } from './client-errors.ts'
import { Connections } from './drain.ts'
import { Metrics, newRefusals } from './metrics.ts'
import { checkOptions, type ServeOptions, type Settings } from './options.ts'
import { ModelRepository, type ReloadReport } from './repository.ts'
import { addRoutes } from './routes.ts'
import { LocalStore } from './sequences/local.ts'
import type { SequenceStore } from './sequences/store.ts'
import type { ServedModel } from './served-model.ts'
import { FileWatcher } from './watch.ts'

export interface InferenceServer {
  /** With routes of its own added before `listen`, it serves those too. */
  readonly app: FastifyInstance
  /** Starts to take connections. @returns where: http://127.0.0.1:8080 */
  listen(): Promise<string>
  /** What the ready probe says. */
  readonly isReady: boolean
  /** Loads models, keys and certificates anew. What cannot be loaded stays as it was and is told. */
  reload(): Promise<ReloadReport>
  /**
   * Stops taking connections, answers every request that was accepted, and lets go of everything. A second call ends the
   * waiting.
   *
   * @returns how many connections were cut off because `drainTimeout` passed
   */
  close(): Promise<number>
}

/**
 * A server of the Open Inference Protocol, version 2, for models of any format that the package reads: docs/serving.md.
 *
 * @throws {TypeError | RangeError} if an option makes no sense
 * @throws {FileFormatError} if a model cannot be read
 */
export async function createServer(options: ServeOptions): Promise<InferenceServer> {
  const settings = checkOptions(options)
  const refused = newRefusals()
  const app = fastify(await fastifyOptions(settings, refused)) as unknown as FastifyInstance
  const keys = settings.apiKeyFile === undefined ? undefined : await KeyRing.open(settings.apiKeyFile)
  const repository = await ModelRepository.open(settings, app.log)
  const store = await openStore(settings)
  return new Server(app, { settings, keys, repository, store, refused })
}

interface Parts {
  settings: Settings
  keys: KeyRing | undefined
  repository: ModelRepository
  store: SequenceStore
  refused: Refusals
}

class Server implements InferenceServer {
  readonly app: FastifyInstance
  readonly #parts: Parts
  readonly #metrics: Metrics
  readonly #connections: Connections
  readonly #watchers = new Map<ServedModel, FileWatcher>()
  #isListening = false
  #isDraining = false
  #closing: Promise<number> | undefined
  #cutShort: (() => void) | undefined

  constructor(app: FastifyInstance, parts: Parts) {
    this.app = app
    this.#parts = parts
    const { settings, keys, repository, store, refused } = parts
    this.#metrics = new Metrics(() => repository.all, store, refused)
    this.#connections = new Connections(app.server)
    limitConnections(app.server, settings, refused)
    const isDraining = () => this.#isDraining
    // Fastify's answers say it too; those of inference look for themselves.
    app.server.prependListener('request', (_: IncomingMessage, response: ServerResponse) => {
      if (this.#isDraining) response.setHeader('Connection', 'close')
    })
    app.setErrorHandler((error: Error & { status?: number; statusCode?: number }, request, reply) => {
      const status = error.status ?? error.statusCode ?? 500
      if (status === 404) refused.not_found++
      if (status < 500) return reply.code(status).send({ error: error.message })
      request.log.error({ err: error }, 'request failed')
      return reply.code(500).send({ error: 'the server failed; its log tells why' })
    })
    app.setNotFoundHandler((request, reply) => {
      refused.not_found++
      const error = `expected a path of the Open Inference Protocol such as /v2/models/NAME/infer with its method, got ${request.method} ${request.url}`
      return reply.code(404).send({ error })
    })
    const { version } = createRequire(import.meta.url)('../../package.json')
    const { log } = app
    addRoutes(app, {
      settings,
      keys,
      repository,
      store,
      metrics: this.#metrics,
      version,
      log,
      isDraining,
      isReady: () => this.isReady,
    })
  }

  get isReady(): boolean {
    return this.#isListening && !this.#isDraining && this.#parts.store.isReady
  }

  async listen(): Promise<string> {
    const { settings, keys } = this.#parts
    const { host, port, tls } = settings
    const isLocal = ['127.0.0.1', '::1', 'localhost'].includes(host)
    if (!isLocal && !keys)
      this.app.log.warn(`listening on ${host} without API keys: whoever reaches the port may use the models`)
    await this.app.listen({ host, port })
    await this.#watch()
    this.#isListening = true
    const address = this.app.server.address() as AddressInfo
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `${tls ? 'https' : 'http'}://${name}:${address.port}`
  }

  /** Also versions that have come since. */
  async #watch(): Promise<void> {
    const { settings, repository } = this.#parts
    if (!settings.watch) return
    for (const model of repository.all) {
      if (this.#watchers.has(model)) continue
      this.#watchers.set(model, await FileWatcher.open(model.path, () => repository.reload(model)))
    }
  }

  async reload(): Promise<ReloadReport> {
    const { settings, keys, repository } = this.#parts
    const report = await repository.reload()
    if (this.#isListening && !this.#isDraining) await this.#watch()
    const others = [
      { name: 'API keys', load: () => keys?.reload() },
      {
        name: 'TLS certificate',
        load: async () =>
          (this.app.server as unknown as Partial<TlsServer>).setSecureContext?.(
            (await readTls(settings)) ?? {},
          ),
      },
    ]
    for (const { name, load } of others) {
      try {
        await load()
      } catch (error) {
        report.failed.push({ name, version: '', error: error as Error })
        this.app.log.error({ err: error }, `${name} not reloaded; those from before stay`)
      }
    }
    return report
  }

  close(): Promise<number> {
    if (this.#closing) this.#cutShort?.()
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<number> {
    const { settings, repository, store } = this.#parts
    this.#isDraining = true
    for (const watcher of this.#watchers.values()) watcher.close()
    const cut = new Promise<void>((resolve) => (this.#cutShort = resolve))
    if (this.#isListening && settings.drainDelay > 0)
      await Promise.race([cut, new Promise((resolve) => setTimeout(resolve, settings.drainDelay).unref())])
    const lost = await this.#connections.drain(settings.drainTimeout, cut)
    await this.app.close()
    await repository.close()
    await store.close()
    this.#metrics.close()
    return lost
  }
}

/** Redis is loaded only by those who want it. */
async function openStore({ state, maxSequences, maxSequenceIdle }: Settings): Promise<SequenceStore> {
  if (state === undefined) return new LocalStore({ maxSequences, maxSequenceIdle })
  const { RedisStore } = await import('./sequences/redis.ts')
  return RedisStore.open({ url: state, maxSequenceIdle })
}

async function fastifyOptions(settings: Settings, refused: Refusals): Promise<FastifyServerOptions> {
  const { logLevel, logStream, keepAliveTimeout, requestTimeout, headersTimeout } = settings
  const tls = await readTls(settings)
  const timeouts = { headersTimeout, connectionsCheckingInterval: 1000 }
  return {
    logger: logLevel === 'silent' ? false : { level: logLevel, ...(logStream && { stream: logStream }) },
    logController: new LogController({ disableRequestLogging: true }),
    // A logger of its own for every request would cost more than all else that Fastify does.
    childLoggerFactory: (logger: FastifyInstance['log']) => logger,
    keepAliveTimeout,
    requestTimeout,
    return503OnClosing: false,
    clientErrorHandler: refuseClient(refused),
    ...(tls ? { https: { ...tls, ...timeouts } } : { http: timeouts }),
  } as FastifyServerOptions
}

async function readTls({ tls }: Settings): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  if (!tls) return undefined
  const [cert, key] = await Promise.all(
    [tls.cert, tls.key].map((path) =>
      readFile(path).catch((error: Error) => {
        throw new TypeError(`${path}: cannot be read: ${error.message}`)
      }),
    ),
  )
  return { cert, key }
}
