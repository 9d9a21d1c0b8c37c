/** Requests that no server should answer with anything but a 4xx and a sentence. */
import type { Message } from './exchange.ts'
import { network } from './network.ts'
import { inferPath as path } from './requests.ts'

export interface BadRequest extends Message {
  name: string
}

const { inputSize } = network

function json(name: string, body: unknown): BadRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { name, path, headers: { 'Content-Type': 'application/json' }, body: text }
}

function input(rest: object): object {
  const data = new Array(inputSize).fill(0)
  return { inputs: [{ name: 'x', shape: [1, 1, inputSize], datatype: 'FP32', data, ...rest }] }
}

function binary(name: string, x: Float32Array): BadRequest {
  const header = JSON.stringify(input({ data: undefined, parameters: { binary_data_size: 4 * inputSize } }))
  return {
    name,
    path,
    headers: {
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': String(header.length),
    },
    body: Buffer.concat([Buffer.from(header), new Uint8Array(x.buffer)]),
  }
}

export const badRequests: readonly BadRequest[] = [
  json('no JSON', '{"inputs": ['),
  json('no object', [1, 2, 3]),
  json('no inputs', {}),
  json('an unknown input', input({ name: 'z' })),
  json('a shape of another rank', input({ shape: [1, inputSize] })),
  json('too few features', input({ shape: [1, 1, inputSize - 1] })),
  json('a negative axis', input({ shape: [1, -1, inputSize] })),
  json('an unknown datatype', input({ datatype: 'FP31' })),
  json('text for numbers', input({ data: new Array(inputSize).fill('one') })),
  json('too little data', input({ data: [1, 2, 3] })),
  json('a number beyond float32', input({ data: new Array(inputSize).fill(1e300) })),
  json('a sequence that was never started', {
    ...input({}),
    parameters: { sequence_id: 987654321 },
  }),
  { ...json('an unknown model', input({})), path: '/v2/models/nobody/infer' },
  binary('NaN', new Float32Array(inputSize).fill(Number.NaN)),
  binary('fewer bytes than announced', new Float32Array(inputSize - 1)),
]
