/** Requests of the Open Inference Protocol with the binary tensor extension, as bytes to send. */
import { Random } from '../../lib/random.ts'
import { draw } from './draw.ts'
import type { Message } from './exchange.ts'
import type { Script } from './load.ts'
import { modelName } from './names.ts'

export interface InferOptions {
  /** [T, inputSize] */
  x: Float32Array
  steps: number
  sequence?: { id: number; isStart: boolean }
}

export const inferPath = `/v2/models/${modelName}/infer`

/** JSON, then the bytes of x. */
export function inferMessage({ x, steps, sequence }: InferOptions): Message {
  const json = JSON.stringify({
    parameters: {
      ...(sequence && { sequence_id: sequence.id, sequence_start: sequence.isStart }),
      binary_data_output: true,
    },
    inputs: [
      {
        name: 'x',
        shape: [1, steps, x.length / steps],
        datatype: 'FP32',
        parameters: { binary_data_size: x.byteLength },
      },
    ],
  })
  return {
    path: inferPath,
    headers: {
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': String(json.length),
    },
    body: Buffer.concat([Buffer.from(json), new Uint8Array(x.buffer)]),
  }
}

/** The same as it goes over the wire. */
function inferRequest(options: InferOptions): Buffer {
  const { path, headers, body } = inferMessage(options)
  const all = { Host: '127.0.0.1', ...headers, 'Content-Length': body.length }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), Buffer.from(body)])
}

export interface ScriptOptions {
  connections: number
  inputSize: number
}

/** Streams of single steps, one on each connection: the first request starts its sequence, the others go on with it. */
export function streamScripts({ connections, inputSize }: ScriptOptions): Script[] {
  const random = new Random(2025)
  return Array.from({ length: connections }, (_, i) => {
    const x = draw(random, inputSize)
    const request = (isStart: boolean) => inferRequest({ x, steps: 1, sequence: { id: i + 1, isStart } })
    return { first: request(true), next: request(false) }
  })
}

/** Whole sequences, which leave no state behind. */
export function sequenceScripts({
  connections,
  inputSize,
  steps,
}: ScriptOptions & { steps: number }): Script[] {
  const random = new Random(2025)
  return Array.from({ length: connections }, () => {
    const request = inferRequest({ x: draw(random, steps * inputSize), steps })
    return { first: request, next: request }
  })
}
