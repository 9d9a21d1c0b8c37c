/** What is asked of Redis: a record, and to replace one that is still the same. */
import { createHash } from 'node:crypto'
import { ErrorReply } from '@redis/client'
import type { RedisConnection } from './connection.ts'
import { ownBytes, tokenAt, tokenBytes } from './record.ts'

/** KEYS: the sequence; ARGV: the token expected, empty for no record, the new record, ms until it is forgotten. */
const replaceScript = `
local token = redis.call('GETRANGE', KEYS[1], ${tokenAt}, ${tokenAt + tokenBytes - 1})
if token ~= ARGV[1] or token == '' and redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.call('GET', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`
const replaceHash = createHash('sha1').update(replaceScript).digest('hex')
const nothing = Buffer.alloc(0)

export class RedisCommands {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  async read(key: string): Promise<Buffer | undefined> {
    return bufferOf(await this.#connection.send(['GET', key]))
  }

  /**
   * @param token of the record to be replaced; undefined: there is none
   * @returns true, or the record that stands there instead, undefined for none
   */
  async replace(
    key: string,
    token: Buffer | undefined,
    record: Buffer,
    life: number,
  ): Promise<true | Buffer | undefined> {
    const rest = ['1', key, token ?? nothing, record, String(life)]
    const reply = await this.#connection.send(['EVALSHA', replaceHash, ...rest]).catch((error) => {
      // A Redis that has not seen the script yet; it has not run anything.
      if (!(error instanceof ErrorReply)) throw error
      return this.#connection.send(['EVAL', replaceScript, ...rest])
    })
    return reply === 1 ? true : bufferOf(reply)
  }
}

function bufferOf(reply: unknown): Buffer | undefined {
  return reply === null ? undefined : ownBytes(reply as Buffer)
}
