/** The configuration of a layer in a file of Keras or tfjs: every option is read by name and type, or the layer refused. */
import { describe, FileFormatError } from '../../errors.ts'

/** Who wrote the file. They differ in defaults, in the slope of the hard sigmoid and in how masks travel. */
export type Dialect = 'keras3' | 'keras2' | 'tfjs'

export interface Source {
  dialect: Dialect
  /** Named in errors. */
  path?: string
}

export type Values = Readonly<Record<string, unknown>>

/** The layers that hand on the mask they get. */
export const maskCarriers = [
  ...['Embedding', 'Masking', 'LSTM', 'SimpleRNN', 'Bidirectional', 'TimeDistributed', 'Dense'],
  ...['LayerNormalization', 'BatchNormalization'],
  ...['Dropout', 'SpatialDropout1D', 'Activation', 'ReLU', 'LeakyReLU', 'ELU', 'Softmax'],
]

export class KerasLayer {
  readonly className: string
  readonly name: string
  readonly source: Source
  /** Axes of what comes in, the batch among them; undefined where nothing before says. */
  rank: number | undefined
  /** Whether what comes in has a mask. */
  isMasked = false
  readonly #values: Values

  constructor(source: Source, className: string, values: Values) {
    this.source = source
    this.className = className
    this.#values = values
    this.name = typeof values.name === 'string' ? values.name : className
  }

  /** @throws {FileFormatError} always */
  fail(code: string, message: string): never {
    const { path } = this.source
    const place = `layer ${JSON.stringify(this.name)} (${this.className})`
    throw new FileFormatError(`${path ?? 'Keras'}, ${place}: ${message}`, { code, path, tensor: this.name })
  }

  /** The option as it is in the file; null and what is not there are undefined. */
  value(option: string): unknown {
    return Object.hasOwn(this.#values, option) ? (this.#values[option] ?? undefined) : undefined
  }

  integer(option: string, fallback?: number): number {
    const value = this.value(option) ?? fallback
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
    return this.#refuse(option, 'a positive integer', value)
  }

  number(option: string, fallback?: number): number {
    const value = this.value(option) ?? fallback
    return typeof value === 'number' && Number.isFinite(value)
      ? value
      : this.#refuse(option, 'a number', value)
  }

  flag(option: string, fallback: boolean): boolean {
    const value = this.value(option) ?? fallback
    return typeof value === 'boolean' ? value : this.#refuse(option, 'true or false', value)
  }

  oneOf<T extends string>(option: string, known: readonly T[], fallback: T): T {
    const value = this.value(option) ?? fallback
    if (known.includes(value as T)) return value as T
    return this.#refuse(option, known.join(', '), value)
  }

  /** Integers, one for each axis, which Keras may also write as one for all. */
  sizes(option: string, axes: number, fallback?: number): number[] {
    const value = this.value(option) ?? fallback
    const all = Array.isArray(value) ? value : Array.from({ length: axes }, () => value)
    const isRight = all.length === axes && all.every((each) => Number.isSafeInteger(each) && each > 0)
    return isRight
      ? all
      : this.#refuse(option, axes === 1 ? 'a positive integer' : `${axes} positive integers`, value)
  }

  /** @throws {FileFormatError} if the option is there and is not `expected` */
  require(option: string, expected: string | number | boolean, hint?: string): void {
    const value = this.value(option)
    if (value === undefined || value === expected) return
    const fix = hint === undefined ? '' : `; ${hint}`
    this.fail('UnsupportedOption', `expected ${option}: ${describe(expected)}, got ${describe(value)}${fix}`)
  }

  /** The layer that an option holds. */
  layer(option: string): KerasLayer {
    const value = this.value(option)
    return value === undefined ? this.#refuse(option, 'a layer', value) : layerOf(this.source, value)
  }

  /** Whether an axis, or a list of one, is the last: -1, or counted from the front once a layer has been built. */
  isLastAxis(option: string): boolean {
    const axis = String(this.value(option) ?? -1)
    return axis === '-1' || (this.rank !== undefined && axis === String(this.rank - 1))
  }

  /** What the input is said to be, the batch in front; null for any length. */
  inputShape(): readonly unknown[] | undefined {
    const shape = this.value('batch_shape') ?? this.value('batch_input_shape')
    return Array.isArray(shape) ? shape : undefined
  }

  outputRank(): number | undefined {
    const inner = this.className === 'Bidirectional' ? this.layer('layer') : this
    if (inner.className === 'LSTM' || inner.className === 'SimpleRNN')
      return inner.flag('return_sequences', false) ? 3 : 2
    if (/^(Flatten|Global\w+)$/.test(this.className)) return 2
    if (/^(Embedding|Masking|Conv1D|\w+Pooling1D)$/.test(this.className)) return 3
    if (/^(Conv2D|\w+Pooling2D)$/.test(this.className)) return 4
    if (this.className === 'TimeDistributed') {
      const item = this.layer('layer')
      item.rank = this.rank === undefined ? undefined : this.rank - 1
      return (item.outputRank() ?? 2) + 1
    }
    return this.rank
  }

  /** Whether what goes out has a mask, made here or handed on. */
  outputIsMasked(): boolean {
    if (this.className === 'Masking') return true
    if (this.className === 'Embedding') return this.flag('mask_zero', false)
    return this.isMasked && maskCarriers.includes(this.className) && this.outputRank() !== 2
  }

  #refuse(option: string, expected: string, value: unknown): never {
    return this.fail('InvalidConfig', `expected ${option} to be ${expected}, got ${describe(value)}`)
  }
}

/** A layer from `{ class_name, config }`. @throws {FileFormatError} if that is not what it is */
export function layerOf(source: Source, value: unknown): KerasLayer {
  const { class_name: className, config, name } = record(source, value, 'a layer')
  if (typeof className !== 'string') return invalid(source, `a layer's class_name is ${describe(className)}`)
  // Before Keras 2.3 the config of a Sequential was the list of its layers.
  const isList = className === 'Sequential' && Array.isArray(config)
  const values = isList
    ? { layers: config }
    : record(source, config, `the config of a layer of class ${className}`)
  return new KerasLayer(source, className, typeof name === 'string' ? { ...values, name } : values)
}

/** The value as an object with names. */
export function record(source: Source, value: unknown, what: string): Values {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Values
  return invalid(source, `expected ${what} to be an object, got ${describe(value)}`)
}

export function invalid({ path }: Source, message: string): never {
  throw new FileFormatError(`${path ?? 'Keras'}: ${message}`, { code: 'InvalidConfig', path })
}

/** Lists and objects in one another: nothing that walks what was parsed has to fear for its stack. */
const deepestJson = 500

export function parseJson(source: Source, text: string | Uint8Array, what: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(
      typeof text === 'string' ? text : new TextDecoder('utf-8', { fatal: true }).decode(text),
    )
  } catch (cause) {
    const { path } = source
    const message = `${path ?? 'Keras'}: ${what} is not valid JSON: ${(cause as Error).message}`
    throw new FileFormatError(message, { code: 'InvalidConfig', path, cause })
  }
  if (isDeeper(value, deepestJson)) return invalid(source, `${what} is nested deeper than ${deepestJson}`)
  return value
}

function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1))
}
