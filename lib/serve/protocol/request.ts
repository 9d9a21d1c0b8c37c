/** An inference request: the JSON, the bytes behind it, and what of both the model is to be run on. */
import { describe } from '../../errors.ts'
import { badRequest } from '../request-error.ts'
import type { Signature } from '../signature.ts'
import { boolean, type RequestParameters, readParameters } from './parameters.ts'
import { fromBytes, fromJson, requireDatatype, type TargetArray, type TargetType } from './tensors.ts'

export interface TensorLimits {
  /** Numbers in one tensor. */
  readonly maxElements: number
  /** Rows of a request. */
  readonly maxBatch: number
  /** Steps of a row. */
  readonly maxSteps: number
}

export interface RequestedOutput {
  readonly name: 'y' | 'state'
  readonly isBinary: boolean
}

export interface InferRequest {
  readonly id?: string
  readonly parameters: RequestParameters
  /** Rows. */
  readonly B: number
  /** Steps of each, padding included. */
  readonly T: number
  /** [B, T, inputSize], or int32 [B, T] */
  readonly x: TargetArray
  readonly lengths?: Int32Array
  /** [B, stateSize] */
  readonly state?: Float32Array | Float64Array
  readonly outputs: readonly RequestedOutput[]
}

interface Input {
  name?: unknown
  shape?: unknown
  datatype?: unknown
  parameters?: { binary_data_size?: unknown; shared_memory_region?: unknown }
  data?: unknown
}

/**
 * @param headerLength of the JSON, where the header Inference-Header-Content-Length tells it: bytes of tensors follow
 * @throws {RequestError} that says what was expected
 */
export function parseInferRequest(
  body: Buffer,
  headerLength: string | undefined,
  signature: Signature,
  limits: TensorLimits,
): InferRequest {
  const jsonLength = headerLength === undefined ? body.length : readHeaderLength(headerLength, body)
  const request = parseJson(body, jsonLength)
  const { id, inputs } = request
  if (id !== undefined && typeof id !== 'string')
    throw badRequest(`id: expected a string, got ${describe(id)}`)
  if (!Array.isArray(inputs) || inputs.length === 0)
    throw badRequest(`inputs: expected an array with at least the input "x", got ${describe(inputs)}`)
  const parameters = readParameters(request.parameters, () => body.toString('utf8', 0, jsonLength))
  const reader = new InputReader(body, headerLength === undefined ? -1 : jsonLength, signature, limits)
  for (const input of inputs) reader.read(input)
  const outputs = readOutputs(request.outputs, parameters, reader.state !== undefined, signature)
  return { id, parameters, outputs, ...reader.finish() }
}

function readHeaderLength(text: string, body: Buffer): number {
  const length = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (length <= body.length) return length
  throw badRequest(
    `Inference-Header-Content-Length: expected the length of the JSON, at most ${body.length}, got ${text}`,
  )
}

function parseJson(body: Buffer, length: number): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8', 0, length))
  } catch (error) {
    throw badRequest(
      `expected a JSON object of the Open Inference Protocol, got ${length === 0 ? 'no body' : (error as Error).message}`,
    )
  }
  if (value !== null && typeof value === 'object' && !Array.isArray(value))
    return value as Record<string, unknown>
  throw badRequest(`expected a JSON object of the Open Inference Protocol, got ${describe(value)}`)
}

class InputReader {
  state: Float32Array | Float64Array | undefined
  readonly #body: Buffer
  readonly #signature: Signature
  readonly #limits: TensorLimits
  /** Where the bytes of the next binary tensor begin; -1: there are none. */
  #position: number
  #x: TargetArray | undefined
  #lengths: Int32Array | undefined
  #B = 0
  #T = 0
  #stateRows = 0

  constructor(body: Buffer, position: number, signature: Signature, limits: TensorLimits) {
    this.#body = body
    this.#position = position
    this.#signature = signature
    this.#limits = limits
  }

  read(input: Input): void {
    if (input === null || typeof input !== 'object')
      throw badRequest(`inputs: expected objects with name, shape, datatype and data, got ${describe(input)}`)
    if (input.name === 'x') this.#readX(input)
    else if (input.name === 'lengths') this.#readLengths(input)
    else if (input.name === 'state') this.#readState(input)
    else throw badRequest(`inputs: expected "x", "lengths" or "state", got ${describe(input.name)}`)
  }

  #readX(input: Input): void {
    if (this.#x) throw badRequest('input x: expected it once, got it twice')
    const { inputSize, type } = this.#signature
    const shape = this.#shape('input x', input.shape, inputSize ? [-1, -1, inputSize] : [-1, -1])
    const [B, T] = shape
    this.#requireBatch(B, T)
    this.#x = this.#tensor('input x', input, shape, inputSize ? type : 'int32')
    this.#B = B
    this.#T = T
    if (!inputSize) this.#requireIndices(this.#x)
  }

  #requireBatch(B: number, T: number): void {
    const { maxBatch, maxSteps } = this.#limits
    const { leastSteps, mostSteps, endsInOneStep } = this.#signature
    if (B > maxBatch) throw badRequest(`input x: expected at most ${maxBatch} rows in a request, got ${B}`)
    if (T > maxSteps) throw badRequest(`input x: expected at most ${maxSteps} steps in a request, got ${T}`)
    if (T < leastSteps || T > mostSteps) {
      const bounds = mostSteps === Number.POSITIVE_INFINITY ? 'or more' : `to ${mostSteps}`
      throw badRequest(`input x: expected ${leastSteps} ${bounds} steps for this model, got ${T}`)
    }
    this.#requireOutput(endsInOneStep ? B : B * T)
  }

  /** A few numbers may make many. */
  #requireOutput(steps: number): void {
    const { maxElements } = this.#limits
    const size = steps * this.#signature.outputSize
    if (size > maxElements)
      throw badRequest(`input x: expected at most ${maxElements} elements in the output y, got ${size}`)
  }

  #requireIndices(x: TargetArray): void {
    const { vocabulary } = this.#signature
    for (let i = 0; i < x.length; i++) {
      if (x[i] < 0 || x[i] >= vocabulary)
        throw badRequest(`input x: expected indices from 0 to ${vocabulary - 1}, got ${x[i]} at element ${i}`)
    }
  }

  #readLengths(input: Input): void {
    const shape = this.#shape('input lengths', input.shape, [-1])
    this.#lengths = this.#tensor('input lengths', input, shape, 'int32') as Int32Array
  }

  #readState(input: Input): void {
    const { stateSize, type } = this.#signature
    if (stateSize === 0) throw badRequest('input state: expected none, for this model has no state')
    const shape = this.#shape('input state', input.shape, [-1, stateSize])
    this.state = this.#tensor('input state', input, shape, type) as Float32Array | Float64Array
    this.#stateRows = shape[0]
  }

  #shape(place: string, shape: unknown, expected: readonly number[]): readonly number[] {
    const isShape =
      Array.isArray(shape) &&
      shape.length === expected.length &&
      shape.every((n, i) => Number.isSafeInteger(n) && n > 0 && (expected[i] === -1 || n === expected[i]))
    if (!isShape) {
      const got = Array.isArray(shape) ? JSON.stringify(shape.slice(0, 8)) : describe(shape)
      throw badRequest(
        `${place}: expected shape [${expected.join(', ')}] with positive integers for -1, got ${got}`,
      )
    }
    const size = (shape as number[]).reduce((product, n) => product * n, 1)
    const { maxElements } = this.#limits
    if (size > maxElements)
      throw badRequest(`${place}: expected at most ${maxElements} elements in a tensor, got ${size}`)
    return shape as number[]
  }

  #tensor(place: string, input: Input, shape: readonly number[], target: TargetType): TargetArray {
    const datatype = requireDatatype(place, input.datatype, target)
    const bytes = input.parameters?.binary_data_size
    if (input.parameters?.shared_memory_region !== undefined)
      throw badRequest(`${place}: expected data or binary_data_size; shared memory is not served`)
    if (bytes === undefined) return fromJson(place, input.data, { shape, datatype, target })
    if (input.data !== undefined)
      throw badRequest(`${place}: expected either data or binary_data_size, got both`)
    return fromBytes(place, this.#take(place, bytes), { shape, datatype, target })
  }

  #take(place: string, size: unknown): Uint8Array {
    if (this.#position < 0) {
      throw badRequest(
        `${place}: expected the header Inference-Header-Content-Length with the length of the JSON before binary data`,
      )
    }
    const rest = this.#body.length - this.#position
    if (!Number.isSafeInteger(size) || (size as number) < 0 || (size as number) > rest) {
      throw badRequest(
        `${place}: expected binary_data_size from 0 to the ${rest} bytes left in the body, got ${describe(size)}`,
      )
    }
    const start = this.#position
    this.#position += size as number
    return this.#body.subarray(start, this.#position)
  }

  finish() {
    if (!this.#x) throw badRequest('inputs: expected the input "x", got none')
    const rest = this.#position < 0 ? 0 : this.#body.length - this.#position
    if (rest > 0)
      throw badRequest(
        `expected the body to end with the last binary tensor, got ${rest} bytes more than binary_data_size tells`,
      )
    if (this.#lengths) this.#requireLengths(this.#lengths)
    if (this.state && this.#stateRows !== this.#B)
      throw badRequest(`input state: expected ${this.#B} rows as x has, got ${this.#stateRows}`)
    return { B: this.#B, T: this.#T, x: this.#x, lengths: this.#lengths, state: this.state }
  }

  #requireLengths(lengths: Int32Array): void {
    const { leastSteps } = this.#signature
    if (lengths.length !== this.#B)
      throw badRequest(`input lengths: expected ${this.#B} elements as x has rows, got ${lengths.length}`)
    const odd = lengths.findIndex((length) => length < leastSteps || length > this.#T)
    if (odd >= 0) {
      throw badRequest(
        `input lengths: expected lengths from ${leastSteps} to ${this.#T}, got ${lengths[odd]} at element ${odd}`,
      )
    }
  }
}

const justY: readonly RequestedOutput[] = [{ name: 'y', isBinary: false }]

function readOutputs(
  value: unknown,
  { binaryOutput }: RequestParameters,
  isStateful: boolean,
  { stateSize }: Signature,
): readonly RequestedOutput[] {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) {
    if (!isStateful && !binaryOutput) return justY
    const names = isStateful ? (['y', 'state'] as const) : (['y'] as const)
    return names.map((name) => ({ name, isBinary: binaryOutput }))
  }
  if (!Array.isArray(value)) throw badRequest(`outputs: expected an array, got ${describe(value)}`)
  if (value.length > 2) throw badRequest(`outputs: expected "y" and "state" at most, got ${value.length}`)
  return value.map((output) => {
    const { name, parameters } = (output ?? {}) as { name?: unknown; parameters?: Record<string, unknown> }
    const isKnown = name === 'y' || (name === 'state' && stateSize > 0)
    if (!isKnown) {
      const expected = stateSize > 0 ? '"y" or "state"' : '"y"'
      throw badRequest(`outputs: expected ${expected}, got ${describe(name)}`)
    }
    if (parameters?.classification !== undefined)
      throw badRequest(`output ${name}: the classification extension is not served; ask for the tensor`)
    if (parameters?.shared_memory_region !== undefined)
      throw badRequest(`output ${name}: shared memory is not served; ask for binary_data`)
    const binary = parameters?.binary_data
    return { name, isBinary: binary === undefined ? binaryOutput : boolean('binary_data', binary) }
  })
}
