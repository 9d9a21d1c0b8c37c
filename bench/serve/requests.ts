/** Requests of the Open Inference Protocol with the binary tensor extension, as bytes to send. */
import { Random } from '../../lib/random.ts'
import type { Script } from './load.ts'
import { modelName } from './names.ts'

export interface InferOptions {
  /** [T, inputSize] */
  x: Float32Array
  steps: number
  sequence?: { id: number; isStart: boolean }
}

/** One HTTP request: head, JSON and the bytes of x. */
export function inferRequest({ x, steps, sequence }: InferOptions): Buffer {
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
  const head = [
    `POST /v2/models/${modelName}/infer HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/octet-stream',
    `Inference-Header-Content-Length: ${json.length}`,
    `Content-Length: ${json.length + x.byteLength}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n${json}`), new Uint8Array(x.buffer)])
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

/** Values in [-1, 1). */
export function draw(random: Random, length: number): Float32Array {
  return Float32Array.from({ length }, () => 2 * random.uniform() - 1)
}
