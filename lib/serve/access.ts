/** Who may ask: the keys of a file, one a line. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'

/** Keys are compared as digests under a secret of this process: in the same time wherever they differ, and of one length. */
export class KeyRing {
  readonly #path: string
  readonly #secret = randomBytes(32)
  #digests: readonly Buffer[] = []

  private constructor(path: string) {
    this.#path = path
  }

  /** @throws {TypeError} if there is no key in the file */
  static async open(path: string): Promise<KeyRing> {
    const ring = new KeyRing(path)
    await ring.reload()
    return ring
  }

  /** Reads the file again. @throws if it cannot be read or holds no key; the keys from before stay */
  async reload(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch((error: Error) => {
      throw new TypeError(`${this.#path}: cannot be read: ${error.message}`)
    })
    const keys = text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
    if (keys.length === 0) throw new TypeError(`${this.#path}: expected keys, one a line, got none`)
    this.#digests = keys.map((key) => this.#digest(key))
  }

  /** Whether the request brings a key, as `Authorization: Bearer KEY` or `x-api-key: KEY`. */
  admits(headers: IncomingHttpHeaders): boolean {
    const given = headers['x-api-key'] ?? /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]
    if (typeof given !== 'string') return false
    const digest = this.#digest(given)
    let found = false
    for (const each of this.#digests) found = timingSafeEqual(each, digest) || found
    return found
  }

  #digest(key: string): Buffer {
    return createHmac('sha256', this.#secret).update(key).digest()
  }
}
