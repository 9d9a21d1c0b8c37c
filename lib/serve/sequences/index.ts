/** The store that `--state` asks for. */
import { describe } from '../../errors.ts'
import { LocalStore } from './local.ts'
import type { SequenceStore } from './store.ts'

export interface StoreOptions {
  /**
   * `redis[s]://[[user]:password@]host[:port][/database][?ttl=SECONDS]`; default: this process. `ttl` stands for
   * `maxSequenceIdle`.
   */
  state?: string
  /** Of this process's own store: sequences alive at once. Redis has a `maxmemory`. */
  maxSequences?: number
  /** Ms without a step after which a sequence is ended; default 60,000. */
  maxSequenceIdle?: number
}

const longestTtl = 2 ** 31

/**
 * @throws {TypeError | RangeError} if the address is none, or asks for something unknown
 * @throws {StateUnavailableError} if Redis does not answer within 5 s
 */
export async function openStore({ state, ...options }: StoreOptions): Promise<SequenceStore> {
  if (state === undefined) return new LocalStore(options)
  const { url, ttl } = parseAddress(state)
  const { RedisStore } = await import('./redis.ts')
  return RedisStore.open({ url, maxSequenceIdle: ttl ?? options.maxSequenceIdle })
}

function parseAddress(state: string): { url: string; ttl: number | undefined } {
  const url = URL.canParse(state) ? new URL(state) : undefined
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || !/^(\/\d*)?$/.test(url.pathname)) {
    // Not the address itself: it may hold a password.
    throw new TypeError('state: expected redis://host:port/database, or rediss:// for TLS')
  }
  for (const name of url.searchParams.keys()) {
    if (name !== 'ttl')
      throw new TypeError(`state: unknown parameter ${describe(name)}; the only one is ttl, in seconds`)
  }
  const text = url.searchParams.get('ttl')
  const ttl = text === null ? undefined : Math.round(Number(text) * 1000)
  if (ttl !== undefined && !(ttl >= 1 && ttl <= longestTtl * 1000))
    throw new RangeError(`state: expected ttl in seconds, greater than 0, got ${describe(text)}`)
  url.search = ''
  return { url: url.href, ttl }
}
