/**
 * The peer: the protocol of our server, by the same code and the same HTTP framework, in front of onnxruntime-node, which is
 * called once for every request. The states of streams are the tensors it gave, kept in a Map. Our /metrics, reloads, limits
 * and drains are left out, which is in its favour.
 *
 *     node peer.js OPTIONS     a JSON object, PeerOptions of service.ts
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import fastify from 'fastify'
import { growHeapFreely } from '../../lib/serve/heap.ts'
import { readBody } from '../../lib/serve/protocol/body.ts'
import { type InferRequest, parseInferRequest } from '../../lib/serve/protocol/request.ts'
import { encodeResponse } from '../../lib/serve/protocol/response.ts'
import { writeAnswer, writeError } from '../../lib/serve/reply.ts'
import { RequestError } from '../../lib/serve/request-error.ts'
import type { Signature } from '../../lib/serve/signature.ts'
import { modelName } from './names.ts'
import { RuntimeModel, type RuntimeState } from './runtime.ts'
import type { PeerOptions } from './service.ts'

const { port, packageFile, model, network, threads, isEmpty }: PeerOptions = JSON.parse(process.argv[2])
const { inputSize, hiddenSize, numLayers } = network
const answerStart = `{"model_name":"${modelName}","model_version":"1"`
const bodyLimit = 16 * 2 ** 20
const limits = { maxElements: 2 ** 22, maxBatch: 1, maxSteps: 65536 }
const signature: Signature = {
  inputSize,
  vocabulary: 0,
  outputSize: hiddenSize,
  stateSize: 2 * numLayers * hiddenSize,
  type: 'float32',
  leastSteps: 1,
  mostSteps: Number.POSITIVE_INFINITY,
  endsInOneStep: false,
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
app.get('/v2/health/ready', (_, reply) => reply.send({ ready: true }))
app.post(
  `/v2/models/${modelName}/infer`,
  {
    // As our server: Fastify finds the route, its reading of bodies and writing of answers is left out.
    onRequest: ({ raw }, reply) => {
      reply.hijack()
      serve(raw, reply.raw)
    },
  },
  () => {},
)
growHeapFreely()
await app.listen({ host: '127.0.0.1', port })
process.on('SIGTERM', () => app.close())

function serve(request: IncomingMessage, response: ServerResponse): void {
  readBody(request, bodyLimit, async (error, body) => {
    try {
      if (error || !body) throw error ?? new RequestError(400, 'the client went away')
      const headerLength = request.headers['inference-header-content-length'] as string | undefined
      const parsed = parseInferRequest(body, headerLength, signature, limits)
      const data = await infer(parsed)
      const y = { shape: [1, parsed.T, hiddenSize], data }
      writeAnswer(response, encodeResponse(answerStart, parsed.outputs, { y }), false, () => {})
    } catch (problem) {
      const failure = problem instanceof RequestError ? problem : new RequestError(500, String(problem))
      writeError(request, response, failure, false)
    }
  })
}
