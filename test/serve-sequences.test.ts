/** The sequence extension over HTTP: a sequence fed a step at a time gives what the plan gives for all of it. */
import { compile, LSTM, Sequential, tensor } from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { get, head, post, saved, started, steps, Wire, x } from './support/inference-server.ts'

const rows = Array.from({ length: 30 }, (_, i) => Math.fround(Math.sin(i)))
const expected = [
  ...compile(steps()).predictSync(tensor(Float32Array.from(rows), { shape: [1, 10, 3] })).data,
]

async function serving(options = {}) {
  const { url, server } = await started({
    models: await saved({ steps: steps(), other: steps(2) }),
    ...options,
  })
  const step = (parameters: object, from = 0, to = from + 1, more: { model?: string; id?: string } = {}) => {
    const { model = 'steps', id } = more
    const inputs = [x(rows.slice(3 * from, 3 * to), [1, to - from, 3])]
    return post(`${url}/v2/models/${model}/infer`, { id, parameters, inputs })
  }
  return { url, server, step }
}

describe('a sequence', () => {
  it('goes from start to end as one', async () => {
    const { step } = await serving()
    const answers = [
      await step({ sequence_id: 42, sequence_start: true }),
      await step({ sequence_id: 42 }, 1, 4),
      await step({ sequence_id: 42 }, 4),
      await step({ sequence_id: 42, sequence_end: true }, 5, 10),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(answers.flatMap(({ body }) => body.outputs[0].data)).toEqual(expected)
    expect(answers[1].body.outputs[0].shape).toEqual([1, 3, 2])
    expect(answers.map(({ body }) => body.parameters)).toEqual(
      [0, 1, 2, 3].map((number) => ({ sequence_id: 42, sequence_step: number })),
    )
    const late = await step({ sequence_id: 42 })
    expect([late.status, late.body.error]).toEqual([
      404,
      expect.stringMatching(/sequence 42 of steps.*has ended/),
    ])
  })

  it('keeps the order of requests that are sent without waiting', async () => {
    const { url } = await serving()
    // On one connection: of several the server may hear in another order.
    const wire = await Wire.open(Number(new URL(url).port))
    const bodies = Array.from({ length: 10 }, (_, t) =>
      JSON.stringify({
        parameters: { sequence_id: 'a', sequence_start: t === 0 },
        inputs: [x(rows.slice(3 * t, 3 * t + 3), [1, 1, 3])],
      }),
    )
    wire.send(
      bodies.map((body) => head('/v2/models/steps/infer', { 'content-length': body.length }) + body).join(''),
    )
    const answers = () => wire.received.split('HTTP/1.1 ').slice(1)
    await wire.until(() => answers().length === 10 && wire.received.endsWith('}'))
    const outputs = answers().map(
      (answer) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))).outputs[0].data,
    )
    expect(outputs.flat()).toEqual(expected)
  })

  it('knows its own state among others, by number, text and model', async () => {
    const { step } = await serving()
    const ids = [7, '8', 'e333c95a-07fc-42d2-ab16-033b1a566ed5', 'ä 😀']
    for (const id of ids) await step({ sequence_id: id, sequence_start: true })
    await step({ sequence_id: 7, sequence_start: true }, 5, 9, { model: 'other' })
    for (let t = 1; t < 4; t++) {
      for (const id of ids) {
        const { body } = await step({ sequence_id: id }, t)
        expect(body.outputs[0].data).toEqual(expected.slice(2 * t, 2 * t + 2))
        expect(body.parameters.sequence_id).toBe(id)
      }
    }
  })

  it('may have any id of 64 bits, which JSON would round', async () => {
    const { url } = await serving()
    const ask = async (id: string, start: boolean, from: number) => {
      const parameters = `{"sequence_id" : ${id}, "sequence_start": ${start}}`
      const inputs = JSON.stringify([x(rows.slice(3 * from, 3 * from + 3), [1, 1, 3])])
      const response = await fetch(`${url}/v2/models/steps/infer`, {
        method: 'POST',
        body: `{"parameters":${parameters},"inputs":${inputs}}`,
      })
      return response.text()
    }
    await ask('18446744073709551615', true, 0)
    await ask('18446744073709551614', true, 5)
    const text = await ask('18446744073709551615', false, 1)
    expect(text).toContain('"sequence_id":18446744073709551615')
    expect(JSON.parse(text).outputs[0].data).toEqual(expected.slice(2, 4))
  })

  it('begins anew with a start', async () => {
    const { step } = await serving()
    await step({ sequence_id: 1, sequence_start: true }, 3, 7)
    const { body } = await step({ sequence_id: 1, sequence_start: true })
    expect(body.outputs[0].data).toEqual(expected.slice(0, 2))
  })

  it('answers a request that is sent again as it did before', async () => {
    const { step } = await serving()
    await step({ sequence_id: 1, sequence_start: true }, 0, 1, { id: 'first' })
    const once = await step({ sequence_id: 1 }, 1, 2, { id: 'second' })
    const twice = await step({ sequence_id: 1 }, 1, 2, { id: 'second' })
    expect(twice.body.outputs).toEqual(once.body.outputs)
    expect(twice.body.parameters).toEqual({ sequence_id: 1, sequence_step: 1, sequence_replay: true })
    expect((await step({ sequence_id: 1 }, 2)).body.outputs[0].data).toEqual(expected.slice(4, 6))
  })

  it('is refused where it does not follow', async () => {
    const { step } = await serving()
    const unknown = await step({ sequence_id: 'never' })
    expect([unknown.status, unknown.body.error]).toEqual([
      404,
      expect.stringMatching(/sequence never of steps.*sequence_start: true/),
    ])
    await step({ sequence_id: 1, sequence_start: true })
    const skipped = await step({ sequence_id: 1, sequence_step: 3 }, 3)
    expect(skipped.status).toBe(409)
    expect((await step({ sequence_id: 1, sequence_step: 1 }, 1)).body.outputs[0].data).toEqual(
      expected.slice(2, 4),
    )
  })

  it('ends when it is idle, and is counted', async () => {
    const { step, url } = await serving({ maxSequenceIdle: 50 })
    await step({ sequence_id: 1, sequence_start: true })
    expect((await get(`${url}/metrics`)).body.toString()).toContain('lstm_sessions_active 1')
    await new Promise((resolve) => setTimeout(resolve, 300))
    const { status, body } = await step({ sequence_id: 1 }, 1)
    expect([status, body.error]).toEqual([404, expect.stringMatching(/idle/)])
    const metrics = (await get(`${url}/metrics`)).body.toString()
    expect(metrics).toContain('lstm_sessions_active 0')
    expect(metrics).toContain('lstm_sessions_evicted_total 1')
  })

  it('is one of at most so many', async () => {
    const { step } = await serving({ maxSequences: 2 })
    for (const id of [1, 2]) await step({ sequence_id: id, sequence_start: true })
    const { status, headers } = await step({ sequence_id: 3, sequence_start: true })
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
    await step({ sequence_id: 1, sequence_end: true })
    expect((await step({ sequence_id: 3, sequence_start: true })).status).toBe(200)
  })

  it('cannot be of a model that needs all steps at once', async () => {
    const model = new Sequential([new LSTM({ inputSize: 3, hiddenSize: 2, bidirectional: true, seed: 1 })])
    const { url } = await started({ models: await saved({ both: model }) })
    const inputs = [x(rows.slice(0, 3), [1, 1, 3])]
    const ask = (parameters: object) => post(`${url}/v2/models/both/infer`, { parameters, inputs })
    const { status, body } = await ask({ sequence_id: 1, sequence_start: true })
    expect([status, body.error]).toEqual([
      400,
      expect.stringMatching(/the model has a bidirectional LSTM, which needs all steps/),
    ])
    expect((await ask({})).status).toBe(200)
  })
})
