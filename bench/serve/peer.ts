/**
 * The peer: the protocol of our server, by the same code and the same HTTP framework, in front of onnxruntime-node, which is
 * called once for every request. The states of streams are the tensors it gave, kept in a Map. Our /metrics, reloads, limits
 * and drains are left out, which is in its favour.
 *
 *     node peer.js OPTIONS     a JSON object, PeerOptions of service.ts
 */
import fastify from 'fastify'
import { readBody } from '../../lib/serve/protocol/body.ts'
import { type InferRequest, parseInferRequest } from '../../lib/serve/protocol/request.ts'
import { encodeResponse } from '../../lib/serve/protocol/response.ts'
import { RequestError } from '../../lib/serve/request-error.ts'
import type { Signature } from '../../lib/serve/signature.ts'
import { modelName } from './names.ts'
import { RuntimeModel, type RuntimeState } from './runtime.ts'
import type { PeerOptions } from './service.ts'

const { port, packageFile, model, network, threads, isEmpty }: PeerOptions = JSON.parse(process.argv[2])
const { inputSize, hiddenSize, numLayers } = network
const bodyLimit = 16 * 2 ** 20
const limits = { maxElements: 2 ** 22, maxBatch: 1, maxSteps: 65536 }
const signature: Signature = {
  inputSize,
  vocabulary: 0,
  outputSize: hiddenSize,
  stateSize: 2 * numLayers * hiddenSize,
  type: 'float32',
  leastSteps: 1,
  isFixed: false,
}

const runtime = isEmpty
  ? undefined
  : await RuntimeModel.load({ packageFile, model, numLayers, hiddenSize, threads })
const states = new Map<string, RuntimeState>()

async function infer({ x, T, parameters }: InferRequest): Promise<Float32Array> {
  if (!runtime) return new Float32Array(T * hiddenSize)
  const { sequenceId, sequenceStart, sequenceEnd } = parameters
  if (sequenceId === undefined) return (await runtime.run(x as Float32Array, T)).y
  const before = sequenceStart ? undefined : states.get(sequenceId)
  if (!before && !sequenceStart) throw new RequestError(404, `sequence ${sequenceId}: there is none`)
  const { y, state } = await runtime.run(x as Float32Array, T, before)
  if (sequenceEnd) states.delete(sequenceId)
  else states.set(sequenceId, state)
  return y
}

const app = fastify()
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_, payload, done) => {
  readBody(payload as Parameters<typeof readBody>[0], bodyLimit, (error, body) => done(error ?? null, body))
})
app.get('/v2/health/ready', async () => ({}))
app.post(`/v2/models/${modelName}/infer`, async (request, reply) => {
  const headerLength = request.headers['inference-header-content-length'] as string | undefined
  const parsed = parseInferRequest(request.body as Buffer, headerLength, signature, limits)
  const y = await infer(parsed)
  const tensors = parsed.outputs.map(({ isBinary }) => ({
    name: 'y',
    shape: [1, parsed.T, hiddenSize],
    data: y,
    isBinary,
  }))
  const encoded = encodeResponse(`{"model_name":"${modelName}","model_version":"1"`, tensors)
  if (encoded.headerLength === undefined) return reply.type('application/json').send(encoded.body)
  return reply
    .type('application/octet-stream')
    .header('Inference-Header-Content-Length', encoded.headerLength)
    .send(encoded.body)
})
app.setErrorHandler((error: Error & { status?: number }, _, reply) => {
  reply.code(error.status ?? 500).send({ error: error.message })
})
await app.listen({ host: '127.0.0.1', port })
process.on('SIGTERM', () => app.close())
