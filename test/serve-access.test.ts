/** Who may ask and over what, and what operators see: keys, TLS, metrics, statistics, the log. */
import { execFileSync } from 'node:child_process'
import { rename, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { createServer } from 'lstm-native/serve'
import { describe, expect, it } from 'vitest'
import { Distribution } from '../lib/serve/counters.ts'
import { get, newFolder, post, saved, started, steps, x } from './support/inference-server.ts'

const body = { inputs: [x([1, 2, 3, 4, 5, 6], [2, 1, 3])] }

describe('API keys', () => {
  it('are asked for everywhere but at the health probes', async () => {
    const apiKeyFile = join(await newFolder(), 'keys')
    await writeFile(apiKeyFile, '# made by hand\nfirst key\r\n\n  second  \n')
    const { url } = await started({ models: await saved({ steps: steps() }), apiKeyFile })
    const infer = `${url}/v2/models/steps/infer`
    for (const path of ['/v2/health/live', '/v2/health/ready'])
      expect((await get(url + path)).status).toBe(200)
    const paths = [
      '/v2',
      '/metrics',
      '/v2/models/steps',
      '/v2/models/steps/ready',
      '/v2/models/stats',
      '/v2/models/steps/stats',
    ]
    for (const path of paths) expect((await get(url + path)).status).toBe(401)
    for (const path of paths) expect((await get(url + path, { 'x-api-key': 'second' })).status).toBe(200)
    expect((await post(`${url}/v2/repository/index`, {})).status).toBe(401)
    const refused = await post(infer, body)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(refused.body.error).toBe(
      'expected a key that is known, as Authorization: Bearer KEY or x-api-key: KEY',
    )
    expect((await post(infer, body, { authorization: 'Bearer first key' })).status).toBe(200)
    expect((await post(infer, body, { 'x-api-key': 'first key' })).status).toBe(200)
    for (const key of ['first', 'first key2', '# made by hand', '']) {
      expect((await post(infer, body, { authorization: `Bearer ${key}` })).status).toBe(401)
      expect((await post(infer, body, { 'x-api-key': key })).status).toBe(401)
    }
    expect((await post(infer, body, { authorization: 'Basic first key' })).status).toBe(401)
    const metrics = (await get(`${url}/metrics`, { 'x-api-key': 'second' })).body.toString()
    expect(metrics).toContain('lstm_requests_refused_total{reason="unauthorized"} 17')
  })

  it('are read again by a reload, unless there are none', async () => {
    const apiKeyFile = join(await newFolder(), 'keys')
    await writeFile(apiKeyFile, 'old')
    const { url, server } = await started({ models: await saved({ steps: steps() }), apiKeyFile })
    const status = async (key: string) => (await get(`${url}/v2`, { 'x-api-key': key })).status
    await writeFile(apiKeyFile, 'new')
    expect((await server.reload()).failed).toEqual([])
    expect([await status('old'), await status('new')]).toEqual([401, 200])
    await writeFile(apiKeyFile, '\n')
    expect((await server.reload()).failed[0].error.message).toMatch(/expected keys, one a line, got none/)
    expect(await status('new')).toBe(200)
  })

  it('must be there when they are asked for', async () => {
    const models = await saved({ steps: steps() })
    await expect(createServer({ models, apiKeyFile: '/no/keys', logLevel: 'silent' })).rejects.toThrow(
      '/no/keys: cannot be read',
    )
  })

  it('are missed where others can reach the server', async () => {
    const { log } = await started({ models: await saved({ steps: steps() }), host: '0.0.0.0' })
    expect(log).toContainEqual(
      expect.objectContaining({
        level: 40,
        msg: expect.stringMatching(/^listening on 0.0.0.0 without API keys/),
      }),
    )
  })
})

/** A certificate for localhost, signed by itself. */
function certify(folder: string, name: string): { cert: string; key: string } {
  const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const out = ['-days', '2', '-keyout', files.key, '-out', files.cert]
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...out], { stdio: 'pipe' })
  return files
}

/** Whose certificate the server shows, and what it answers. */
function askSecurely(url: string): Promise<{ name: string; status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(
      `${url}/v2/models/steps/infer`,
      { method: 'POST', rejectUnauthorized: false, agent: false },
      (response) => {
        const certificate = (
          response.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
        ).getPeerCertificate()
        let text = ''
        response.on('data', (chunk) => (text += chunk))
        response.on('end', () =>
          resolve({ name: certificate.subject.CN, status: response.statusCode!, text }),
        )
      },
    )
    asking.on('error', reject)
    asking.end(JSON.stringify(body))
  })
}

describe('TLS', () => {
  it('is spoken, with a certificate that a reload exchanges', async () => {
    const folder = await newFolder()
    const tls = certify(folder, 'first')
    const { url, server } = await started({ models: await saved({ steps: steps() }), tls })
    expect(url).toMatch(/^https:\/\/127.0.0.1:\d+$/)
    expect(await askSecurely(url)).toMatchObject({
      name: 'first',
      status: 200,
      text: expect.stringContaining('"outputs"'),
    })
    const next = certify(folder, 'second')
    await rename(next.cert, tls.cert)
    await rename(next.key, tls.key)
    expect((await server.reload()).failed).toEqual([])
    expect((await askSecurely(url)).name).toBe('second')
    await writeFile(tls.cert, 'garbage')
    expect((await server.reload()).failed.length).toBe(1)
    expect((await askSecurely(url)).name).toBe('second')
  })

  it('needs files that are there', async () => {
    const models = await saved({ steps: steps() })
    const tls = { cert: '/no/cert', key: '/no/key' }
    await expect(createServer({ models, tls, logLevel: 'silent' })).rejects.toThrow(
      /\/no\/(cert|key): cannot be read/,
    )
  })
})

describe('what operators see', () => {
  it('counts requests by how they ended, and how long they took', async () => {
    const { url } = await started({ models: await saved({ steps: steps() }) })
    const infer = `${url}/v2/models/steps/infer`
    for (let i = 0; i < 3; i++) await post(infer, body)
    await post(infer, {})
    await post(infer, { ...body, parameters: { sequence_id: 1 }, inputs: [x([1, 2, 3], [1, 1, 3])] })
    await post(`${url}/v2/models/none/infer`, body)
    const { headers, body: bytes } = await get(`${url}/metrics`)
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const lines = bytes.toString().split('\n')
    const labels = 'model="steps",version="1"'
    for (const line of [
      `lstm_inference_requests_total{${labels},outcome="ok"} 3`,
      `lstm_inference_requests_total{${labels},outcome="bad_request"} 1`,
      `lstm_inference_requests_total{${labels},outcome="not_found"} 1`,
      `lstm_inferences_total{${labels}} 6`,
      `lstm_inference_duration_seconds_bucket{le="+Inf",${labels}} 3`,
      `lstm_inference_duration_seconds_count{${labels}} 3`,
      `lstm_queue_duration_seconds_count{${labels}} 6`,
      `lstm_batch_size_sum{${labels}} 6`,
      `lstm_queue_size{${labels}} 0`,
      'lstm_requests_refused_total{reason="not_found"} 1',
      '# TYPE lstm_inference_duration_seconds histogram',
      '# TYPE lstm_inference_requests_total counter',
    ])
      expect(lines).toContain(line)
    const value = (name: string) =>
      Number(
        lines
          .find((line: string) => line.startsWith(name))!
          .split(' ')
          .at(-1),
      )
    expect(value('lstm_batch_size_count')).toBe(value('lstm_compute_duration_seconds_count'))
    expect(value('lstm_inference_duration_seconds_sum')).toBeGreaterThan(0)
    expect(value('lstm_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0)
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e6)
    const buckets = lines.filter((line: string) => line.startsWith('lstm_inference_duration_seconds_bucket'))
    const counts = buckets.map((line: string) => Number(line.split(' ').at(-1)))
    expect(counts).toEqual([...counts].sort((a, b) => a - b))
    // Every name once: Prometheus refuses the whole page else.
    const types = lines
      .filter((line: string) => line.startsWith('# TYPE'))
      .map((line: string) => line.split(' ')[2])
    expect(new Set(types).size).toBe(types.length)
  })

  it('puts what it measures between bounds, each with what equals it', () => {
    const distribution = new Distribution([1, 2, 4])
    for (const value of [0.5, 1, 1.5, 2, 3, 4, 5, 1000]) distribution.add(value)
    expect([...distribution.counts]).toEqual([2, 2, 2, 2])
    expect([distribution.count, distribution.sum]).toEqual([8, 1017])
  })

  it('tells statistics of the extension', async () => {
    const { url } = await started({ models: await saved({ steps: steps(), other: steps() }) })
    const before = Date.now()
    await post(`${url}/v2/models/steps/infer`, body)
    await post(`${url}/v2/models/steps/infer`, {})
    const { body: stats } = await get(`${url}/v2/models/steps/versions/1/stats`)
    const [model] = stats.model_stats
    expect(model).toMatchObject({
      name: 'steps',
      version: '1',
      inference_count: 2,
      inference_stats: { success: { count: 1 }, fail: { count: 1 }, queue: { count: 2 } },
    })
    expect(model.last_inference).toBeGreaterThanOrEqual(before)
    expect(model.inference_stats.success.ns).toBeGreaterThan(0)
    expect(model.execution_count).toBe(model.inference_stats.compute_infer.count)
    const batches = model.batch_stats as { batch_size: number; compute_infer: { count: number } }[]
    expect(batches.reduce((sum, batch) => sum + batch.batch_size * batch.compute_infer.count, 0)).toBe(2)
    expect(
      (await get(`${url}/v2/models/stats`)).body.model_stats.map(({ name }: { name: string }) => name),
    ).toEqual(['steps', 'other'])
    expect((await get(`${url}/v2/models/steps/stats`)).body.model_stats.length).toBe(1)
  })

  it('logs requests at debug alone, and what was wrong with them', async () => {
    const models = await saved({ steps: steps() })
    for (const logLevel of ['info', 'debug']) {
      const { url, log } = await started({ models, logLevel })
      await post(`${url}/v2/models/steps/infer`, body)
      await post(`${url}/v2/models/steps/infer`, {})
      const lines = log.filter(({ msg }) => msg === 'inference')
      if (logLevel === 'info') expect(lines).toEqual([])
      else {
        expect(lines).toEqual([
          expect.objectContaining({
            level: 20,
            model: 'steps',
            outcome: 'ok',
            status: 200,
            client: '127.0.0.1',
            ms: expect.any(Number),
          }),
          expect.objectContaining({
            outcome: 'bad_request',
            status: 400,
            reason: expect.stringMatching(/^inputs: expected/),
          }),
        ])
      }
    }
  })
})

describe('options', () => {
  it.each([
    [{ prot: 1 }, /createServer: unknown option "prot"; did you mean "port"\?/],
    [{ port: 70000 }, /expected port in \[0, 65535\], got 70000/],
    [{ maxBatch: 0 }, /expected maxBatch to be a positive integer, got 0/],
    [{ timeout: -1 }, /expected timeout in/],
    [{ logLevel: 'loud' }, /expected logLevel to be one of fatal, .*, got "loud"/],
    [{ headersTimeout: 60_000 }, /expected headersTimeout of at most requestTimeout/],
    [{ preferredBatchSizes: [0] }, /expected a preferred batch size to be a positive integer/],
    [{ preferredBatchSizes: [128] }, /preferredBatchSizes/],
    [{ maxQueueDelayMicroseconds: 0.5 }, /maxQueueDelayMicroseconds/],
  ])('%j is refused', async (options, message) => {
    const models = await saved({ steps: steps() })
    await expect(createServer({ models, logLevel: 'silent', ...options })).rejects.toThrow(message)
  })
})
