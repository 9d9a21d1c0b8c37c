/** Tensors as bytes behind the JSON, in both directions: the binary tensor data extension, by its document. */
import { compile, Linear, LSTM, Sequential, tensor } from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { head, post, type Reply, saved, started, steps, Wire, words } from './support/inference-server.ts'

const rows = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i))
const expected = compile(steps()).predictSync(tensor(rows, { shape: [2, 4, 3] })).data as Float32Array
const input = { name: 'x', shape: [2, 4, 3], datatype: 'FP32', parameters: { binary_data_size: 96 } }

async function serving() {
  const { url } = await started({ models: await saved({ steps: steps(), words: words() }) })
  return (
    json: object | string,
    tensors: readonly ArrayBufferView[] = [],
    { model = 'steps', length }: { model?: string; length?: string } = {},
  ): Promise<Reply> => {
    const text = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json))
    const bytes = tensors.map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength),
    )
    return post(`${url}/v2/models/${model}/infer`, Buffer.concat([text, ...bytes]), {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': length ?? String(text.length),
    })
  }
}

/** The JSON and the bytes behind it. */
function split({ headers, body }: Reply): { json: { outputs: object[] }; bytes: Buffer } {
  const length = Number(headers.get('inference-header-content-length'))
  return { json: JSON.parse(body.subarray(0, length).toString()), bytes: body.subarray(length) }
}

function floats(bytes: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer)
}

describe('binary tensors', () => {
  it('go in and come out', async () => {
    const infer = await serving()
    const outputs = [{ name: 'y', parameters: { binary_data: true } }]
    const reply = await infer({ model_name: 'steps', id: 'ä', inputs: [input], outputs }, [rows])
    expect(reply.status).toBe(200)
    expect(reply.headers.get('content-type')).toBe('application/octet-stream')
    const { json, bytes } = split(reply)
    expect(json).toEqual({
      model_name: 'steps',
      model_version: '1',
      id: 'ä',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [2, 4, 2], parameters: { binary_data_size: 64 } }],
    })
    expect(floats(bytes)).toEqual(expected)
  })

  it.each([0, 1, 2, 3])('may begin at any byte, here %i beyond a multiple of 4', async (pad) => {
    const infer = await serving()
    const text = JSON.stringify({ inputs: [input] })
    const padded = text + ' '.repeat(((4 - (text.length % 4)) % 4) + pad)
    expect((await infer(padded, [rows])).body.outputs[0].data).toEqual([...expected])
  })

  it('mix with JSON, one of either kind each', async () => {
    const infer = await serving()
    const lengths = { name: 'lengths', shape: [2], datatype: 'INT64', parameters: { binary_data_size: 16 } }
    const state = { name: 'state', shape: [2, 10], datatype: 'FP32', data: Array(20).fill(0) }
    const request = {
      parameters: { binary_data_output: true },
      inputs: [lengths, state, input],
      outputs: [{ name: 'y', parameters: { binary_data: false } }, { name: 'state' }],
    }
    const { json, bytes } = split(await infer(request, [BigInt64Array.of(4n, 1n), rows]))
    const [y, after] = json.outputs as { data?: number[]; parameters?: object }[]
    expect(y.data).toEqual([...expected.slice(0, 10), 0, 0, 0, 0, 0, 0])
    expect(after.parameters).toEqual({ binary_data_size: 80 })
    expect(bytes.length).toBe(80)
  })

  it('all come back as bytes if the request says so', async () => {
    const infer = await serving()
    const { json, bytes } = split(
      await infer({ parameters: { binary_data_output: true }, inputs: [input] }, [rows]),
    )
    expect(json.outputs.length).toBe(1)
    expect(floats(bytes)).toEqual(expected)
  })

  it.each<[string, ArrayBufferView]>([
    ['FP64', Float64Array.of(1, -2, 0.5)],
    ['INT64', BigInt64Array.of(1n, -2n, 3n)],
    ['UINT64', BigUint64Array.of(1n, 2n, 3n)],
    ['INT32', Int32Array.of(1, -2, 3)],
    ['UINT32', Uint32Array.of(1, 2, 3)],
    ['INT16', Int16Array.of(1, -2, 3)],
    ['UINT16', Uint16Array.of(1, 2, 65535)],
    ['INT8', Int8Array.of(1, -2, 3)],
    ['UINT8', Uint8Array.of(1, 2, 255)],
    ['FP16', Uint16Array.of(0x3c00, 0xc000, 0x3800)],
    ['BF16', Uint16Array.of(0x3f80, 0xc000, 0x3f00)],
  ])('of %s become what the model reads', async (datatype, data) => {
    const infer = await serving()
    const numbers =
      datatype.endsWith('16') && datatype !== 'INT16' && datatype !== 'UINT16'
        ? [1, -2, 0.5]
        : [...(data as never)].map(Number)
    const parameters = { binary_data_size: data.byteLength }
    const { body } = await infer({ inputs: [{ name: 'x', shape: [1, 1, 3], datatype, parameters }] }, [data])
    const y = compile(steps()).predictSync(tensor(Float32Array.from(numbers), { shape: [1, 1, 3] }))
    expect(body.outputs[0].data).toEqual([...y.data])
  })

  it('may be indices', async () => {
    const infer = await serving()
    const request = {
      inputs: [{ name: 'x', shape: [1, 2], datatype: 'INT64', parameters: { binary_data_size: 16 } }],
    }
    const { body } = await infer(request, [BigInt64Array.of(3n, 9n)], { model: 'words' })
    const y = compile(words()).predictSync(tensor([[3, 9]], { dataType: 'int32' }))
    expect(body.outputs[0].data).toEqual([...y.data])
  })
})

describe('binary tensors that are wrong', () => {
  const sized = (size: unknown) => ({ inputs: [{ ...input, parameters: { binary_data_size: size } }] })
  it.each<[string, object | string, readonly ArrayBufferView[], string | undefined, RegExp]>([
    [
      'NaN',
      { inputs: [input] },
      [rows.with(5, Number.NaN)],
      undefined,
      /^input x: expected a finite number .* at element 5, got NaN/,
    ],
    ['infinity', { inputs: [input] }, [rows.with(23, -Infinity)], undefined, /at element 23, got -Infinity/],
    [
      'a double beyond float32',
      { inputs: [{ ...input, datatype: 'FP64', parameters: { binary_data_size: 192 } }] },
      [new Float64Array(24).fill(1e39, 7, 8)],
      undefined,
      /at element 7, got 1e\+39/,
    ],
    [
      'NaN of 16 bits',
      { inputs: [{ ...input, datatype: 'FP16', parameters: { binary_data_size: 48 } }] },
      [new Uint16Array(24).fill(0x7e00, 1, 2)],
      undefined,
      /at element 1, got NaN/,
    ],
    [
      'an integer of 64 bits',
      { inputs: [{ ...input, datatype: 'INT64', parameters: { binary_data_size: 192 } }] },
      [new BigInt64Array(24).fill(-(2n ** 60n), 2, 3)],
      undefined,
      /at element 2, got -1152921504606846976/,
    ],
    [
      'fewer bytes than said',
      { inputs: [input] },
      [rows.subarray(1)],
      undefined,
      /^input x: expected binary_data_size from 0 to the 92 bytes left in the body, got 96/,
    ],
    [
      'more bytes than said',
      { inputs: [input] },
      [rows, rows],
      undefined,
      /expected the body to end with the last binary tensor, got 96 bytes more/,
    ],
    [
      'a size that is not the shape’s',
      sized(92),
      [rows],
      undefined,
      /^input x: expected binary_data_size 96 for shape \[2,4,3\] of FP32, got 92/,
    ],
    ['a size in words', sized('96'), [rows], undefined, /got "96"/],
    ['a negative size', sized(-96), [rows], undefined, /got -96/],
    ['a huge size', sized(2 ** 52), [rows], undefined, /from 0 to the 96 bytes left/],
    [
      'data and bytes',
      { inputs: [{ ...input, data: [...rows] }] },
      [rows],
      undefined,
      /either data or binary_data_size, got both/,
    ],
    [
      'a header length beyond the body',
      { inputs: [input] },
      [rows],
      '100000',
      /^Inference-Header-Content-Length: expected the length of the JSON, at most \d+, got 100000/,
    ],
    ['a header length in words', { inputs: [input] }, [rows], '1e2', /got 1e2/],
    ['a header length too short', { inputs: [input] }, [rows], '10', /expected a JSON object/],
  ])('with %s are refused', async (_, json, tensors, length, message) => {
    const infer = await serving()
    const { status, body } = await infer(json, tensors, { length })
    expect([status, body.error]).toEqual([400, expect.stringMatching(message)])
  })

  it('without the header are refused', async () => {
    const { url } = await started({ models: await saved({ steps: steps() }) })
    const { status, body } = await post(`${url}/v2/models/steps/infer`, { inputs: [input] })
    expect([status, body.error]).toEqual([
      400,
      expect.stringMatching(/^input x: expected the header Inference-Header-Content-Length/),
    ])
  })

  it('are those of each answer, however long and slowly read', async () => {
    // Of 20 KB and more: their memory is lent, and must not be another's before it is sent.
    const wide = new Sequential([new LSTM({ inputSize: 3, hiddenSize: 256, seed: 5 })])
    const plan = compile(wide)
    const { url, port } = await started({ models: await saved({ wide }) })
    const binary = { parameters: { binary_data_output: true } }
    const ask = (B: number, T: number, seed: number, lengths?: number[]) => {
      const x = Float32Array.from({ length: B * T * 3 }, (_, i) => Math.sin(i * seed))
      const inputs = [{ ...input, shape: [B, T, 3], parameters: undefined, data: [...x] }] as object[]
      if (lengths) inputs.push({ name: 'lengths', shape: [B], datatype: 'INT32', data: lengths })
      const y = plan.predictSync(
        tensor(x, { shape: [B, T, 3] }),
        lengths && { lengths: Int32Array.from(lengths) },
      )
      return { body: { ...binary, inputs }, y: y.data as Float32Array }
    }
    const cases = [
      ...[20, 33, 50].map((T, i) => ask(1, T, i + 1)),
      ask(3, 24, 4),
      ask(3, 24, 5, [7, 24, 1]),
      ask(2, 30, 6, [11, 25]),
    ]
    const path = '/v2/models/wide/infer'
    // Fills the connection's buffers, and is not read from until the others have their answers.
    const slow = await Wire.open(port)
    slow.socket.pause()
    const large = ask(16, 64, 7)
    const text = JSON.stringify(large.body)
    for (let n = 0; n < 12; n++) slow.send(head(path, { 'content-length': text.length }) + text)
    for (let round = 0; round < 5; round++) {
      const replies = await Promise.all(cases.map(({ body }) => post(url + path, body)))
      for (const [i, reply] of replies.entries()) {
        const { json, bytes } = split(reply)
        const { shape } = (json as { outputs: { shape: number[] }[] }).outputs[0]
        const { y } = cases[i]
        // Without the steps beyond the longest row.
        const [B, S, O] = shape
        const T = y.length / (B * O)
        const kept = Float32Array.from({ length: B * S * O }, (_, at) => {
          const b = Math.floor(at / (S * O))
          return y[b * T * O + (at - b * S * O)]
        })
        expect(floats(bytes)).toEqual(kept)
      }
    }
    slow.socket.resume()
    const answer = Buffer.from(large.y.buffer, large.y.byteOffset, large.y.byteLength).toString('latin1')
    await slow.until(({ received }) => received.length > 12 * answer.length)
    expect(slow.received.split(answer)).toHaveLength(13)
  })

  it('are bytes of the answer where JSON has no word for a number', async () => {
    // Weights that are finite and give infinity.
    const linear = new Linear({ inputSize: 3, outputSize: 2, seed: 1 })
    linear.weight.data.fill(3e38)
    const model = new Sequential([linear])
    const { url } = await started({ models: await saved({ wild: model }) })
    const x = { ...input, datatype: 'FP32', data: Array(24).fill(1), parameters: undefined }
    const plain = await post(`${url}/v2/models/wild/infer`, { inputs: [x] })
    expect([plain.status, plain.body.error]).toEqual([
      500,
      expect.stringMatching(
        /^output y: the model gave -?(Infinity|NaN) at element \d+, which JSON cannot say; ask for binary_data/,
      ),
    ])
    const reply = await post(`${url}/v2/models/wild/infer`, {
      parameters: { binary_data_output: true },
      inputs: [x],
    })
    expect(floats(split(reply).bytes).some((value) => !Number.isFinite(value))).toBe(true)
  })
})
