/** The Open Inference Protocol as clients of other makers speak it; every mistake is answered with what was expected. */
import { Conv1d, compile, Flatten, Linear, LSTM, MaxPool1d, Sequential, tensor } from 'lstm-native'
import { beforeAll, describe, expect, it } from 'vitest'
import { createServer } from '../lib/serve/index.ts'
import { get, last, post, type Reply, saved, started, steps, words, x } from './support/inference-server.ts'

const row = [0.1, -0.2, 0.3]
const rows = Array.from({ length: 24 }, (_, i) => Math.fround(Math.sin(i)))
/** What the plan gives, as JSON has it. */
function expected(data: readonly number[], shape: readonly number[]): number[] {
  return [...compile(steps()).predictSync(tensor(Float32Array.from(data), { shape })).data]
}

/** One server for each test costs little, and none sees another's counts. */
async function serving(options: Parameters<typeof createServer>[0] | object = {}) {
  const models = await saved({ steps: steps(), last: last(), words: words() })
  const { url, ...rest } = await started({ models, ...options })
  return {
    url,
    infer: (body: unknown, headers?: Record<string, string>) =>
      post(`${url}/v2/models/steps/infer`, body, headers),
    ...rest,
  }
}

describe('health and metadata', () => {
  it('tells that the server lives, is ready, and what it is', async () => {
    const { url } = await serving()
    expect((await get(`${url}/v2/health/live`)).body).toEqual({ live: true })
    expect(await get(`${url}/v2/health/ready`)).toMatchObject({ status: 200, body: { ready: true } })
    expect((await get(`${url}/v2`)).body).toEqual({
      name: 'lstm-native',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      extensions: ['binary_tensor_data', 'sequence', 'sequence(string_id)', 'schedule_policy', 'statistics'],
    })
  })

  it('describes models, with -1 for what may vary', async () => {
    const { url } = await serving()
    const state = { name: 'state', datatype: 'FP32', shape: [-1, 10] }
    const lengths = { name: 'lengths', datatype: 'INT32', shape: [-1] }
    expect((await get(`${url}/v2/models/steps`)).body).toEqual({
      name: 'steps',
      versions: ['1'],
      platform: 'lstm-native_safetensors',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1, 3] }, lengths, state],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, -1, 2] }, state],
    })
    const { body } = await get(`${url}/v2/models/last/versions/1`)
    expect(body.outputs[0]).toEqual({ name: 'y', datatype: 'FP32', shape: [-1, 2] })
    expect((await get(`${url}/v2/models/words`)).body.inputs[0]).toEqual({
      name: 'x',
      datatype: 'INT32',
      shape: [-1, -1],
    })
    expect((await get(`${url}/v2/models/words/ready`)).body).toEqual({ name: 'words', ready: true })
    expect((await get(`${url}/v2/models/words/versions/1/ready`)).status).toBe(200)
  })

  it('lists what it has', async () => {
    const { url } = await serving()
    const { body } = await post(`${url}/v2/repository/index`, {})
    expect(body).toContainEqual({ name: 'words', version: '1', state: 'READY', reason: '' })
    expect(body.length).toBe(3)
  })

  it.each([
    ['/v2/models/none', /expected a model among steps, last, words, got "none"/],
    ['/v2/models/steps/versions/2', /expected a version of steps among 1, got "2"/],
    ['/v2/models/none/ready', /expected a model among/],
    ['/v2/models/none/stats', /expected a model among/],
    ['/v1/models', /expected a path of the Open Inference Protocol .* got GET \/v1\/models/],
    ['/v2/models/steps/infer', /expected a path of the Open Inference Protocol/],
  ])('answers %s with 404 and what there is', async (path, message) => {
    const { url } = await serving()
    const { status, body } = await get(url + path)
    expect(status).toBe(404)
    expect(body).toEqual({ error: expect.stringMatching(message) })
  })
})

describe('inference', () => {
  // The request of the specification, with the name, type and shape of this model's input.
  it('answers the request of the specification', async () => {
    const { url } = await serving()
    const request = `{
      "id" : "42",
      "inputs" : [
        {
          "name" : "x",
          "shape" : [ 2, 2 ],
          "datatype" : "UINT32",
          "data" : [ 1, 2, 3, 4 ]
        },
        {
          "name" : "lengths",
          "shape" : [ 2 ],
          "datatype" : "UINT32",
          "data" : [ 2, 1 ]
        }
      ],
      "outputs" : [
        {
          "name" : "y"
        }
      ]
    }`
    const { status, headers, body } = await post(`${url}/v2/models/words/infer`, request)
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(body).toEqual({
      model_name: 'words',
      model_version: '1',
      id: '42',
      outputs: [{ name: 'y', shape: [2, 2, 4], datatype: 'FP32', data: expect.any(Array) }],
    })
    const whole = compile(words()).predictSync(
      tensor(
        [
          [1, 2],
          [3, 4],
        ],
        { dataType: 'int32' },
      ),
    )
    expect(body.outputs[0].data).toEqual([...whole.data.slice(0, 12), 0, 0, 0, 0])
  })

  it('gives the bits of the plan, for data flat or nested, under either path', async () => {
    const { infer, url } = await serving()
    const flat = { inputs: [x(rows, [2, 4, 3])] }
    const nest = (data: readonly number[], size: number) =>
      Array.from({ length: data.length / size }, (_, i) => data.slice(i * size, (i + 1) * size))
    const nested = { inputs: [x(nest(nest(rows, 3) as never, 4), [2, 4, 3])] }
    const answer = (await infer(flat)).body.outputs
    expect(answer).toEqual([
      { name: 'y', datatype: 'FP32', shape: [2, 4, 2], data: expected(rows, [2, 4, 3]) },
    ])
    expect((await infer(nested)).body.outputs).toEqual(answer)
    expect((await post(`${url}/v2/models/steps/versions/1/infer`, flat)).body.outputs).toEqual(answer)
    // Whatever the client says about the type of its JSON.
    expect((await infer(flat, {})).body.outputs).toEqual(answer)
    expect((await infer(flat, { 'content-type': 'text/plain' })).body.outputs).toEqual(answer)
  })

  it('ends in [B, outputs] where the model does', async () => {
    const { url } = await serving()
    const { body } = await post(`${url}/v2/models/last/infer`, { inputs: [x(rows, [2, 4, 3])] })
    const all = expected(rows, [2, 4, 3])
    expect(body.outputs[0]).toMatchObject({ shape: [2, 2], data: [...all.slice(6, 8), ...all.slice(14)] })
  })

  it('fills up rows that are shorter with zeros', async () => {
    const { infer } = await serving()
    const lengths = { name: 'lengths', shape: [2], datatype: 'INT64', data: [4, 1] }
    const { body } = await infer({ inputs: [x(rows, [2, 4, 3]), lengths] })
    const all = expected(rows, [2, 4, 3])
    expect(body.outputs[0].data).toEqual([...all.slice(0, 10), 0, 0, 0, 0, 0, 0])
  })

  it('goes on from a state and gives the next', async () => {
    const { infer } = await serving()
    const all = expected(rows, [1, 8, 3])
    const first = await infer({
      inputs: [x(rows.slice(0, 9), [1, 3, 3])],
      outputs: [{ name: 'state' }, { name: 'y' }],
    })
    const [state, y] = first.body.outputs
    expect(state.shape).toEqual([1, 10])
    const second = await infer({
      inputs: [{ ...state, datatype: 'FP64' }, x(rows.slice(9), [1, 5, 3])],
    })
    expect(second.body.outputs.map(({ name }: { name: string }) => name)).toEqual(['y', 'state'])
    expect([...y.data, ...second.body.outputs[0].data]).toEqual(all)
    const both = await infer({
      inputs: [
        x(rows, [2, 4, 3]),
        { name: 'state', shape: [2, 10], datatype: 'FP32', data: Array(20).fill(0) },
      ],
    })
    expect(both.body.outputs[0].data).toEqual(expected(rows, [2, 4, 3]))
    expect(both.body.outputs[1].shape).toEqual([2, 10])
  })

  it.each([
    ['FP64', [1, 0.5, -2]],
    ['FP16', [1, 0.5, -2]],
    ['INT64', [1, 2, -16777216]],
    ['UINT8', [1, 2, 255]],
    ['INT8', [1, 2, -128]],
  ])('converts %s, in which the numbers are exact', async (datatype, data) => {
    const { infer } = await serving()
    const { body } = await infer({ inputs: [{ name: 'x', shape: [1, 1, 3], datatype, data }] })
    expect(body.outputs[0].data).toEqual(expected(data, [1, 1, 3]))
  })

  it('serves models of double precision as such', async () => {
    const model = new LSTM({ inputSize: 1, hiddenSize: 2, seed: 1, dataType: 'float64' })
    const { url } = await started({ models: await saved({ double: new Sequential([model]) }) })
    const data = [0.1]
    const { body } = await post(`${url}/v2/models/double/infer`, {
      inputs: [{ ...x(data, [1, 1, 1]), datatype: 'FP64' }],
    })
    const y = compile(new Sequential([model])).predictSync(
      tensor(Float64Array.from(data), { shape: [1, 1, 1] }),
    )
    expect(body.outputs[0]).toEqual({ name: 'y', datatype: 'FP64', shape: [1, 1, 2], data: [...y.data] })
  })

  it('keeps ids of any text', async () => {
    const { infer } = await serving()
    const id = 'ä"\\\n\u2028😀'
    expect((await infer({ id, inputs: [x(row, [1, 1, 3])] })).body.id).toBe(id)
    expect('id' in (await infer({ inputs: [x(row, [1, 1, 3])] })).body).toBe(false)
  })

  it('takes priorities and timeouts of the schedule policy', async () => {
    const { infer } = await serving()
    const inputs = [x(row, [1, 1, 3])]
    for (const parameters of [
      { priority: 1 },
      { priority: 10, timeout: 1e6 },
      { priority: 0, timeout: 0 },
      { other: 'x' },
    ])
      expect((await infer({ parameters, inputs })).status).toBe(200)
  })

  it('knows how many steps a model takes', async () => {
    const model = new Sequential([
      new Conv1d({ inputChannels: 1, outputChannels: 2, kernelSize: 3, seed: 1 }),
      new MaxPool1d({ size: 2, stride: 2 }),
      new Flatten(),
      new Linear({ inputSize: 4, outputSize: 1, seed: 2 }),
    ])
    const { url } = await started({ models: await saved({ flat: model }) })
    const ask = (T: number) =>
      post(`${url}/v2/models/flat/infer`, { inputs: [x(Array(T).fill(1), [1, T, 1])] })
    const answers: Reply[] = await Promise.all([5, 6, 7, 8].map(ask))
    expect(answers.map(({ status }) => status)).toEqual([400, 200, 200, 400])
    expect(answers[0].body.error).toBe('input x: expected 6 to 7 steps for this model, got 5')
    const { body } = await get(`${url}/v2/models/flat`)
    expect([body.inputs.length, body.outputs]).toEqual([2, [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }]])
  })
})

describe('a request that is wrong', () => {
  let infer: (body: unknown, headers?: Record<string, string>) => Promise<Reply>
  let url = ''
  beforeAll(async () => {
    const models = await saved({ steps: steps(), words: words() })
    const server = await createServer({
      models,
      port: 0,
      logLevel: 'silent',
      drainTimeout: 0,
      maxBatch: 4,
      maxSteps: 100,
      maxElements: 400,
    })
    url = await server.listen()
    infer = (body, headers) => post(`${url}/v2/models/steps/infer`, body, headers)
    return () => void server.close()
  })
  const good = x(row, [1, 1, 3])

  it.each<[string, unknown, RegExp]>([
    ['no body', '', /expected a JSON object .* got no body/],
    ['no JSON', '{"inputs": [', /expected a JSON object of the Open Inference Protocol/],
    ['an array', [], /expected a JSON object .* got an array of 0/],
    ['null', 'null', /expected a JSON object .* got null/],
    ['no inputs', {}, /^inputs: expected an array with at least the input "x", got undefined/],
    ['empty inputs', { inputs: [] }, /^inputs: expected an array/],
    ['an input that is none', { inputs: [null] }, /^inputs: expected objects with name, shape/],
    [
      'another input',
      { inputs: [{ ...good, name: 'input0' }] },
      /^inputs: expected "x", "lengths" or "state", got "input0"/,
    ],
    ['x twice', { inputs: [good, good] }, /^input x: expected it once, got it twice/],
    ['a number for an id', { id: 42, inputs: [good] }, /^id: expected a string, got 42/],
    [
      'no shape',
      { inputs: [{ ...good, shape: undefined }] },
      /^input x: expected shape \[-1, -1, 3\] with positive integers for -1, got undefined/,
    ],
    ['two axes', { inputs: [{ ...good, shape: [1, 3] }] }, /got \[1,3\]/],
    [
      'other features',
      { inputs: [x([1, 2], [1, 1, 2])] },
      /^input x: expected shape \[-1, -1, 3\] .* got \[1,1,2\]/,
    ],
    ['no rows', { inputs: [x([], [0, 1, 3])] }, /got \[0,1,3\]/],
    ['no steps', { inputs: [x([], [1, 0, 3])] }, /got \[1,0,3\]/],
    ['a negative axis', { inputs: [x([], [-1, -1, 3])] }, /got \[-1,-1,3\]/],
    ['half a row', { inputs: [x(row, [0.5, 2, 3])] }, /got \[0.5,2,3\]/],
    ['an axis in words', { inputs: [x(row, ['1', 1, 3] as never)] }, /got \["1",1,3\]/],
    ['a huge axis', { inputs: [x(row, [2 ** 60, 1, 3])] }, /positive integers/],
    [
      'rows beyond the limit',
      { inputs: [x(Array(15).fill(0), [5, 1, 3])] },
      /^input x: expected at most 4 rows in a request, got 5/,
    ],
    [
      'steps beyond the limit',
      { inputs: [x([], [1, 101, 3])] },
      /^input x: expected at most 100 steps in a request, got 101/,
    ],
    [
      'too many elements',
      { inputs: [x([], [4, 50, 3])] },
      /^input x: expected at most 400 elements in a tensor, got 600/,
    ],
    [
      'a shape whose product is beyond numbers',
      { inputs: [x([], [9007199254740991, 9007199254740991, 3])] },
      /at most 400 elements/,
    ],
    [
      'no datatype',
      { inputs: [{ ...good, datatype: undefined }] },
      /^input x: expected datatype FP32, FP64, .* got undefined/,
    ],
    ['bytes', { inputs: [{ ...good, datatype: 'BYTES' }] }, /got "BYTES"/],
    ['booleans', { inputs: [{ ...good, datatype: 'BOOL' }] }, /got "BOOL"/],
    [
      'no data',
      { inputs: [{ ...good, data: undefined }] },
      /^input x: expected data as an array of numbers, got undefined/,
    ],
    [
      'data as text',
      { inputs: [{ ...good, data: '0.1' }] },
      /expected data as an array of numbers, got "0.1"/,
    ],
    [
      'too few numbers',
      { inputs: [{ ...good, data: [1, 2] }] },
      /^input x: expected 3 elements of data for shape \[1,1,3\], got 2/,
    ],
    [
      'too many numbers',
      { inputs: [{ ...good, data: [1, 2, 3, 4] }] },
      /expected 3 elements of data .* got 4/,
    ],
    [
      'too few rows',
      { inputs: [x([[row]], [2, 1, 3])] },
      /expected 2 rows of data for shape \[2,1,3\], got 1/,
    ],
    [
      'a row that is shorter',
      { inputs: [x([[row], [[1, 2]]], [2, 1, 3])] },
      /expected rows of 3 on axis 2 of shape \[2,1,3\], got an array of 2 before element 3/,
    ],
    ['a number for a row', { inputs: [x([[row], 7], [2, 1, 3])] }, /expected rows of 1 on axis 1 .* got 7/],
    [
      'deeper nesting',
      { inputs: [x([[[row]]], [1, 1, 3])] },
      /expected rows of 3 on axis 2 of shape \[1,1,3\], got an array of 1/,
    ],
    ['null in the data', { inputs: [x([1, null, 3], [1, 1, 3])] }, /at element 1, got null/],
    [
      'text in the data',
      { inputs: [x([1, 2, '3'], [1, 1, 3])] },
      /expected a finite number .* at element 2, got "3"/,
    ],
    ['true in the data', { inputs: [x([true, 2, 3], [1, 1, 3])] }, /at element 0, got true/],
    [
      'infinity',
      '{"inputs":[{"name":"x","shape":[1,1,3],"datatype":"FP32","data":[1,2,1e999]}]}',
      /at element 2, got Infinity/,
    ],
    [
      'NaN as Python writes it',
      '{"inputs":[{"name":"x","shape":[1,1,3],"datatype":"FP32","data":[1,2,NaN]}]}',
      /expected a JSON object/,
    ],
    [
      'a number beyond float32',
      { inputs: [x([1, 3.5e38, 3], [1, 1, 3])] },
      /expected a finite number from -3.40\d+e\+38 to 3.40\d+e\+38 \(FP32, computed as float32\) at element 1, got 3.5e\+38/,
    ],
    [
      'a fraction among integers',
      { inputs: [{ ...good, datatype: 'INT32', data: [1, 2.5, 3] }] },
      /expected an integer .* at element 1, got 2.5/,
    ],
    [
      'an integer beyond its type',
      { inputs: [{ ...good, datatype: 'INT8', data: [1, 128, 3] }] },
      /expected an integer from -128 to 127 \(INT8, computed as float32\) at element 1, got 128/,
    ],
    [
      'an integer that no float32 is',
      { inputs: [{ ...good, datatype: 'INT64', data: [16777217, 2, 3] }] },
      /expected an integer from -16777216 to 16777216 .* got 16777217/,
    ],
    [
      'lengths of another count',
      { inputs: [good, { name: 'lengths', shape: [2], datatype: 'INT32', data: [1, 1] }] },
      /^input lengths: expected 1 elements as x has rows, got 2/,
    ],
    [
      'a length of 0',
      { inputs: [good, { name: 'lengths', shape: [1], datatype: 'INT32', data: [0] }] },
      /^input lengths: expected lengths from 1 to 1, got 0 at element 0/,
    ],
    [
      'a length beyond x',
      { inputs: [good, { name: 'lengths', shape: [1], datatype: 'INT32', data: [2] }] },
      /got 2 at element 0/,
    ],
    [
      'lengths as floats',
      { inputs: [good, { name: 'lengths', shape: [1], datatype: 'FP32', data: [1] }] },
      /^input lengths: expected datatype INT8, .* got "FP32"/,
    ],
    [
      'no x',
      { inputs: [{ name: 'lengths', shape: [1], datatype: 'INT32', data: [1] }] },
      /^inputs: expected the input "x", got none/,
    ],
    [
      'a state of another size',
      { inputs: [good, { name: 'state', shape: [1, 9], datatype: 'FP32', data: Array(9).fill(0) }] },
      /^input state: expected shape \[-1, 10\]/,
    ],
    [
      'a state of other rows',
      { inputs: [good, { name: 'state', shape: [2, 10], datatype: 'FP32', data: Array(20).fill(0) }] },
      /^input state: expected 1 rows as x has, got 2/,
    ],
    [
      'a state that is not finite',
      { inputs: [good, { name: 'state', shape: [1, 10], datatype: 'FP64', data: Array(10).fill(1e300) }] },
      /^input state: expected a finite number .* at element 0/,
    ],
    ['outputs that are none', { inputs: [good], outputs: {} }, /^outputs: expected an array, got Object/],
    [
      'another output',
      { inputs: [good], outputs: [{ name: 'output0' }] },
      /^outputs: expected "y" or "state", got "output0"/,
    ],
    [
      'an output that is null',
      { inputs: [good], outputs: [null] },
      /^outputs: expected "y" or "state", got undefined/,
    ],
    [
      'three outputs',
      { inputs: [good], outputs: [{ name: 'y' }, { name: 'y' }, { name: 'y' }] },
      /^outputs: expected "y" and "state" at most, got 3/,
    ],
    [
      'classification',
      { inputs: [good], outputs: [{ name: 'y', parameters: { classification: 2 } }] },
      /the classification extension is not served/,
    ],
    [
      'shared memory',
      { inputs: [{ ...good, parameters: { shared_memory_region: 'a' } }] },
      /shared memory is not served/,
    ],
    [
      'shared memory for the output',
      { inputs: [good], outputs: [{ name: 'y', parameters: { shared_memory_region: 'a' } }] },
      /shared memory is not served/,
    ],
    ['parameters that are none', { parameters: 7, inputs: [good] }, /^parameters: expected an object, got 7/],
    [
      'a priority in words',
      { parameters: { priority: 'high' }, inputs: [good] },
      /^parameter priority: expected an integer of at least 0, got "high"/,
    ],
    [
      'a priority beyond the levels',
      { parameters: { priority: 11 }, inputs: [good] },
      /^parameter priority: expected a level from 1, the highest, to 10, or 0, got 11/,
    ],
    [
      'a negative timeout',
      { parameters: { timeout: -1 }, inputs: [good] },
      /^parameter timeout: expected an integer of at least 0, got -1/,
    ],
    [
      'binary_data in words',
      { inputs: [good], outputs: [{ name: 'y', parameters: { binary_data: 'yes' } }] },
      /^parameter binary_data: expected true or false, got "yes"/,
    ],
    [
      'a sequence of two rows',
      { parameters: { sequence_id: 5, sequence_start: true }, inputs: [x([1, 2, 3, 4, 5, 6], [2, 1, 3])] },
      /^input x: expected one row in a request of a sequence, got 2/,
    ],
    [
      'a start without a sequence',
      { parameters: { sequence_start: true }, inputs: [good] },
      /^parameter sequence_start: expected a sequence_id beside it/,
    ],
    [
      'an end of sequence 0',
      { parameters: { sequence_id: 0, sequence_end: true }, inputs: [good] },
      /^parameter sequence_end: expected a sequence_id beside it/,
    ],
    [
      'a sequence id that is negative',
      { parameters: { sequence_id: -1 }, inputs: [good] },
      /^parameter sequence_id: expected a string or an unsigned integer, got -1/,
    ],
    [
      'a sequence id beyond 64 bits',
      '{"parameters":{"sequence_id":18446744073709551616},"inputs":[{}]}',
      /^parameter sequence_id: expected one unsigned integer of 64 bits in digits/,
    ],
    [
      'a sequence id that is long',
      { parameters: { sequence_id: 'ä'.repeat(257) }, inputs: [good] },
      /at most 512 bytes/,
    ],
    [
      'a state in a sequence',
      {
        parameters: { sequence_id: 'a', sequence_start: true },
        inputs: [good],
        outputs: [{ name: 'state' }],
      },
      /^state: expected neither an input nor an output/,
    ],
    [
      'sequence_start in words',
      { parameters: { sequence_id: 'a', sequence_start: 'true' }, inputs: [good] },
      /^parameter sequence_start: expected true or false, got "true"/,
    ],
  ])('with %s is told what was expected', async (_, request, message) => {
    const { status, body } = await infer(request)
    expect(status).toBe(400)
    expect(body).toEqual({ error: expect.stringMatching(message) })
  })

  it.each([
    ['an index that is no symbol', [1, 10], /^input x: expected indices from 0 to 9, got 10 at element 1/],
    ['a negative index', [-1, 1], /^input x: expected indices from 0 to 9, got -1 at element 0/],
    [
      'an index beyond int32',
      [4294967296, 1],
      /^input x: expected an integer from -2147483647 to 2147483647 .* got 4294967296/,
    ],
  ])('with %s is told what was expected', async (_, data, message) => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'INT64', data }]
    const { status, body } = await post(`${url}/v2/models/words/infer`, { inputs })
    expect([status, body.error]).toEqual([400, expect.stringMatching(message)])
  })

  it('has a compressed body', async () => {
    const { status, body } = await infer({ inputs: [good] }, { 'content-encoding': 'gzip' })
    expect([status, body.error]).toEqual([415, 'expected a body without Content-Encoding, got gzip'])
  })

  it('asks for an output beyond the limit', async () => {
    const inputs = [{ name: 'x', shape: [2, 100], datatype: 'INT32', data: Array(200).fill(1) }]
    const { status, body } = await post(`${url}/v2/models/words/infer`, { inputs })
    const message = 'input x: expected at most 400 elements in the output y, got 800'
    expect([status, body.error]).toEqual([400, message])
  })

  it('has more rows than could ever wait', async () => {
    const server = await started({ models: await saved({ steps: steps() }), maxQueueSize: 2 })
    const { status, body } = await post(`${server.url}/v2/models/steps/infer`, {
      inputs: [x(Array(9).fill(0), [3, 1, 3])],
    })
    expect([status, body.error]).toEqual([400, 'input x: expected at most 2 rows in a request, got 3'])
  })

  it('does not stop the others', async () => {
    const answers = await Promise.all([
      infer({ inputs: [good] }),
      infer({ inputs: [x([1], [1, 1, 3])] }),
      infer({ inputs: [good] }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 200])
    expect(answers[2].body).toEqual(answers[0].body)
  })

  it('cannot reach into objects', async () => {
    const body = `{"__proto__":{"inputs":[]},"constructor":{"prototype":{"polluted":1}},"inputs":[${JSON.stringify(good)}]}`
    expect((await infer(body)).status).toBe(200)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    for (const name of ['__proto__', 'constructor', 'toString'])
      expect((await get(`${url}/v2/models/${name}`)).status).toBe(404)
  })
})
