/**
 * JSON read token by token from bytes, for input from strangers: nothing is built but what the caller keeps, nesting is
 * bounded, and what JSON.parse lets pass silently, numbers beyond 2⁵³ or lone surrogates, is refused.
 */
/** As deep as the reference implementation of safetensors goes. */
const deepest = 127

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]
const [zero, nine, minus, plus, dot] = [0x30, 0x39, 0x2d, 0x2b, 0x2e]

export class JsonScanner {
  readonly #bytes: Buffer
  readonly #fail: (message: string) => never
  #at = 0

  /**
   * @param bytes valid UTF-8
   * @param fail raises the caller's error; called with what is wrong, and at which byte
   */
  constructor(bytes: Uint8Array, fail: (message: string) => never) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#fail = fail
  }

  /** Reads an object; `member` gets each name and must read its value. Names may come twice: that is its matter. */
  object(member: (name: string) => void): void {
    this.#take(openBrace, 'an object')
    if (this.#skipped(closeBrace)) return
    do {
      const name = this.string()
      this.#take(colon, 'a colon')
      member(name)
    } while (this.#skipped(comma))
    this.#take(closeBrace, 'a comma or the end of the object')
  }

  /** Reads an array; `element` must read one. */
  array(element: () => void): void {
    this.#take(openBracket, 'an array')
    if (this.#skipped(closeBracket)) return
    do element()
    while (this.#skipped(comma))
    this.#take(closeBracket, 'a comma or the end of the array')
  }

  string(): string {
    this.#take(quote, 'a string')
    const start = this.#at
    let isEscaped = false
    for (let byte = this.#bytes[this.#at]; byte !== quote; byte = this.#bytes[++this.#at]) {
      if (!(byte >= 0x20)) this.#wrong('the end of a string')
      if (byte !== backslash) continue
      isEscaped = true
      this.#at++
    }
    const text = this.#bytes.toString('utf8', start, this.#at++)
    return isEscaped ? this.#unescape(text) : text
  }

  /** A whole number of at least 0, written with digits only, and no larger than a double holds exactly. */
  integer(): number {
    this.#space()
    const start = this.#at
    let value = 0
    while (isDigit(this.#bytes[this.#at])) value = value * 10 + (this.#bytes[this.#at++] - zero)
    const isPadded = this.#bytes[start] === zero && this.#at > start + 1
    const isFraction = [dot, 0x65, 0x45].includes(this.#bytes[this.#at])
    if (this.#at === start || isPadded || isFraction) {
      this.#at = start
      this.#wrong('a plain integer of at least 0')
    }
    if (!Number.isSafeInteger(value)) this.#fail(`has an integer beyond 2⁵³ at byte ${start}`)
    return value
  }

  /** Reads a value of any kind, which stands inside two objects, and forgets it. */
  skip(depth = 3): void {
    this.#space()
    const first = this.#bytes[this.#at]
    const isNested = first === openBrace || first === openBracket
    if (isNested && depth > deepest) this.#fail(`is nested deeper than ${deepest}`)
    if (first === quote) this.string()
    else if (first === openBrace) this.object(() => this.skip(depth + 1))
    else if (first === openBracket) this.array(() => this.skip(depth + 1))
    else if (first === minus || isDigit(first)) this.#number()
    else this.#word()
  }

  /** Makes sure that nothing but white space follows. */
  end(): void {
    this.#space()
    if (this.#at < this.#bytes.length) this.#wrong('the end')
  }

  #number(): void {
    if (this.#bytes[this.#at] === minus) this.#at++
    const first = this.#bytes[this.#at]
    const digits = this.#digits()
    if (first === zero && digits > 1) this.#wrong('a number without leading zeros')
    if (this.#bytes[this.#at] === dot) {
      this.#at++
      this.#digits()
    }
    if ((this.#bytes[this.#at] | 0x20) !== 0x65) return
    const sign = this.#bytes[++this.#at]
    if (sign === plus || sign === minus) this.#at++
    this.#digits()
  }

  #digits(): number {
    const start = this.#at
    while (isDigit(this.#bytes[this.#at])) this.#at++
    if (this.#at === start) this.#wrong('a digit')
    return this.#at - start
  }

  #word(): void {
    const word = ['true', 'false', 'null'].find(
      (each) => this.#bytes.toString('latin1', this.#at, this.#at + each.length) === each,
    )
    this.#at += word?.length ?? this.#wrong('a value')
  }

  #unescape(text: string): string {
    let result: string
    try {
      result = JSON.parse(`"${text}"`)
    } catch {
      return this.#fail(`has an escape that JSON does not know in the string before byte ${this.#at}`)
    }
    if (/\p{Surrogate}/u.test(result))
      this.#fail(`has half a character in the string before byte ${this.#at}`)
    return result
  }

  #take(byte: number, what: string): void {
    if (!this.#skipped(byte)) this.#wrong(what)
  }

  #skipped(byte: number): boolean {
    this.#space()
    if (this.#bytes[this.#at] !== byte) return false
    this.#at++
    return true
  }

  #space(): void {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return
      this.#at++
    }
  }

  #wrong(expected: string): never {
    const byte = this.#bytes[this.#at]
    const got =
      byte === undefined ? 'the end' : byte < 0x80 ? JSON.stringify(String.fromCharCode(byte)) : byte
    return this.#fail(`is not what was expected: at byte ${this.#at} expected ${expected}, got ${got}`)
  }
}

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= nine
}
