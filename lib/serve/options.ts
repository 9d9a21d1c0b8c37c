/** Options of the server: what they are without being given, and what they may be. */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'

export interface BatchOptions {
  /** Rows that run in one batch, at most; default 64. */
  maxBatchSize?: number
  /** How long a batch may wait to fill up, in µs; default 0. */
  maxQueueDelayMicroseconds?: number
  /** Sizes at which a batch waits no longer; default none. */
  preferredBatchSizes?: readonly number[]
  /** Requests of a model that wait, at most; those beyond are answered with 503 at once. Default 4096. */
  maxQueueSize?: number
  /** In ms: how long a request may take, if it says nothing itself; default: as long as it takes. */
  timeout?: number
}

export interface ServeOptions extends BatchOptions {
  /** A path, NAME=PATH or NAME:VERSION=PATH each; a folder with folders 1, 2, ... in it holds versions. */
  models: readonly string[]
  /** Default 127.0.0.1: this machine alone. */
  host?: string
  /** Default 8080; 0: any that is free. */
  port?: number
  /** A file of keys, one a line, one of which every request must then bring. */
  apiKeyFile?: string
  /** PEM files; both or none. */
  tls?: { cert: string; key: string }
  /** Bytes of a request's body, at most; default 16 MiB. */
  bodyLimit?: number
  /** Numbers in one tensor of a request or its answer, at most; default 2²². */
  maxElements?: number
  /** Rows of a request, at most; default 1024, or `maxQueueSize` if that is less. */
  maxBatch?: number
  /** Steps of a row, at most; default 65536. */
  maxSteps?: number
  /** Connections at once, at most; default 16384. */
  maxConnections?: number
  /** ms in which a request's headers must have come; default 10,000. */
  headersTimeout?: number
  /** ms in which a whole request must have come; default 30,000. */
  requestTimeout?: number
  /** ms that a connection may be idle between two requests; default 75,000. */
  keepAliveTimeout?: number
  /** ms without a request that end a sequence; default 60,000. */
  maxSequenceIdle?: number
  /** Sequences alive at once, at most; default 100,000. */
  maxSequences?: number
  /** `redis://...`: where sequences keep their states, for replicas to share; default: in this process. */
  state?: string
  /** Load models anew when their files change; default true. */
  watch?: boolean
  /** ms for requests under way after `close`; default 30,000. */
  drainTimeout?: number
  /** ms for which `close` still takes connections while the ready probe already says no; default 0. */
  drainDelay?: number
  /** fatal, error, warn, info, debug, trace or silent; default info. Requests are logged at debug. */
  logLevel?: string
  /** Where the log goes; default: standard output. */
  logStream?: { write(line: string): void }
}

export type Settings = Required<
  Omit<ServeOptions, 'apiKeyFile' | 'tls' | 'state' | 'timeout' | 'logStream'>
> &
  Pick<ServeOptions, 'apiKeyFile' | 'tls' | 'state' | 'timeout' | 'logStream'>

/** The defaults of all that has one. */
export const defaults = {
  host: '127.0.0.1',
  port: 8080,
  bodyLimit: 16 * 2 ** 20,
  maxElements: 2 ** 22,
  maxBatch: 1024,
  maxSteps: 65536,
  maxConnections: 16384,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 75_000,
  maxSequenceIdle: 60_000,
  maxSequences: 100_000,
  watch: true,
  drainTimeout: 30_000,
  drainDelay: 0,
  logLevel: 'info',
  maxBatchSize: 64,
  maxQueueDelayMicroseconds: 0,
  preferredBatchSizes: [] as readonly number[],
  maxQueueSize: 4096,
} as const

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

const positive = [
  'bodyLimit',
  'maxElements',
  'maxBatch',
  'maxSteps',
  'maxConnections',
  'headersTimeout',
  'requestTimeout',
  'keepAliveTimeout',
  'maxSequenceIdle',
  'maxSequences',
  'maxBatchSize',
  'maxQueueSize',
] as const
const notNegative = ['port', 'drainTimeout', 'drainDelay', 'maxQueueDelayMicroseconds'] as const
const others = ['models', 'apiKeyFile', 'tls', 'state', 'timeout', 'logStream'] as const

/** @throws {TypeError | RangeError} that names the option */
export function checkOptions(options: ServeOptions): Settings {
  refuseUnknownOptions('createServer', options, [...Object.keys(defaults), ...others])
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const settings = { ...defaults, ...given } as Settings
  for (const name of positive) requireInteger('createServer', name, settings[name])
  for (const name of notNegative) requireInteger('createServer', name, settings[name], 0)
  requireNumber('createServer', 'port', settings.port, { low: 0, high: 65535 })
  for (const size of settings.preferredBatchSizes)
    requireInteger('createServer', 'a preferred batch size', size)
  if (settings.timeout !== undefined)
    requireNumber('createServer', 'timeout', settings.timeout, { low: 0.001, high: 2 ** 31 - 1 })
  if (!Array.isArray(settings.models) || settings.models.length === 0) {
    throw new TypeError(
      `createServer: expected models as an array of at least one, got ${describe(settings.models)}`,
    )
  }
  if (!logLevels.includes(settings.logLevel as (typeof logLevels)[number])) {
    throw new TypeError(
      `createServer: expected logLevel to be one of ${logLevels.join(', ')}, got ${describe(settings.logLevel)}`,
    )
  }
  if (settings.headersTimeout > settings.requestTimeout) {
    throw new RangeError(
      `createServer: expected headersTimeout of at most requestTimeout, ${settings.requestTimeout}, got ${settings.headersTimeout}`,
    )
  }
  return { ...settings, maxBatch: Math.min(settings.maxBatch, settings.maxQueueSize) }
}
