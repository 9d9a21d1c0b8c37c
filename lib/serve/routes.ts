/** The paths of the Open Inference Protocol, /metrics, and what stands before them: keys, and a queue that is full. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { KeyRing } from './access.ts'
import { type InferContext, Inference } from './infer.ts'
import type { Metrics } from './metrics.ts'
import { extensions, modelMetadata, modelStatistics, serverName } from './protocol/metadata.ts'
import { writeError } from './reply.ts'
import type { ModelRepository } from './repository.ts'
import { RequestError } from './request-error.ts'

export interface RouteContext extends InferContext {
  readonly repository: ModelRepository
  readonly metrics: Metrics
  readonly keys: KeyRing | undefined
  readonly version: string
  readonly isReady: () => boolean
}

interface ModelParams {
  name: string
  version?: string
}

const modelPaths = ['/v2/models/:name', '/v2/models/:name/versions/:version'] as const

export function addRoutes(app: FastifyInstance, context: RouteContext): void {
  const { repository, metrics } = context
  const find = ({ params }: FastifyRequest) => {
    const { name, version } = params as ModelParams
    return repository.find(name, version)
  }
  const onRequest = guard(context)

  app.get('/v2/health/live', (_, reply) => reply.send({ live: true }))
  app.get('/v2/health/ready', (_, reply) => {
    const ready = context.isReady()
    return reply.code(ready ? 200 : 503).send({ ready })
  })
  app.get('/v2', { onRequest }, (_, reply) =>
    reply.send({ name: serverName, version: context.version, extensions }),
  )
  app.get('/metrics', { onRequest }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
  app.get('/v2/models/stats', { onRequest }, (_, reply) =>
    reply.send({ model_stats: repository.all.map(modelStatistics) }),
  )
  app.post('/v2/repository/index', { onRequest }, (_, reply) =>
    reply.send(repository.all.map(({ name, version }) => ({ name, version, state: 'READY', reason: '' }))),
  )
  for (const path of modelPaths) {
    app.get(path, { onRequest }, (request, reply) => {
      const model = find(request)
      return reply.send(modelMetadata(model, repository.versionsOf(model.name)))
    })
    app.get(`${path}/ready`, { onRequest }, (request, reply) => {
      const { name } = find(request)
      const ready = context.isReady()
      return reply.code(ready ? 200 : 503).send({ name, ready })
    })
    app.get(`${path}/stats`, { onRequest }, (request, reply) => {
      const { name, version } = request.params as ModelParams
      const model = find(request)
      const models = version === undefined ? repository.versionsOf(name) : [model]
      return reply.send({ model_stats: models.map(modelStatistics) })
    })
    app.post(`${path}/infer`, { onRequest: [onRequest, startInference(context)] }, () => {})
  }
}

type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void

/** Nothing is asked of a stranger's request but its key. */
function guard({ keys, metrics, isDraining }: RouteContext): Hook {
  return (request, reply, done) => {
    if (!keys || keys.admits(request.headers)) return done()
    metrics.refused.unauthorized++
    reply.hijack()
    const message = 'expected a key that is known, as Authorization: Bearer KEY or x-api-key: KEY'
    writeError(request.raw, reply.raw, new RequestError(401, message), isDraining())
  }
}

/** Inference begins here, before Fastify reads the body: what cannot be served costs as little as what can. */
function startInference(context: RouteContext): Hook {
  const { repository, metrics, isDraining } = context
  return (request, reply) => {
    const { raw } = request
    const { name, version } = request.params as ModelParams
    reply.hijack()
    try {
      const model = repository.find(name, version)
      if (!model.current.batcher.isFull) {
        new Inference(context, { model, isVersioned: version !== undefined }, raw, reply.raw).run()
        return
      }
      metrics.refused.queue_full++
      throw new RequestError(
        503,
        `${model.current.batcher.queued} rows wait for ${name} already; try again later`,
        {
          outcome: 'queue_full',
          retryAfter: 1,
        },
      )
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      if (error.status === 404) metrics.refused.not_found++
      writeError(raw, reply.raw, error, isDraining())
    }
  }
}
