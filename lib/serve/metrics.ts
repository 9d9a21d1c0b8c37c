/** What Prometheus reads at /metrics. Requests count in plain fields (counters.ts); this reads them when it is asked. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client'
import type { Counters, Distribution } from './counters.ts'
import { outcomes } from './request-error.ts'
import type { SequenceStore } from './sequences/store.ts'
import type { ServedModel } from './served-model.ts'

/** Why requests were turned away before a model had to do with them. */
export const refusals = [
  'unauthorized',
  'not_found',
  'queue_full',
  'malformed',
  'slow',
  'connection_limit',
] as const
export type Refusal = (typeof refusals)[number]

export function newRefusals(): Record<Refusal, number> {
  return Object.fromEntries(refusals.map((reason) => [reason, 0])) as Record<Refusal, number>
}

/** ms between two looks at the event loop. */
const resolution = 10

export class Metrics {
  readonly refused: Record<Refusal, number>
  readonly #registry = new Registry()
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution })

  constructor(models: () => readonly ServedModel[], store: SequenceStore, refused: Record<Refusal, number>) {
    this.refused = refused
    const registers = [this.#registry]
    const delay = this.#delay
    delay.enable()
    collectDefaultMetrics({ register: this.#registry })
    this.#counter('lstm_inference_requests_total', 'Inference requests by how they ended.', {
      labels: ['model', 'version', 'outcome'],
      read: (add) => {
        for (const { name, version, counters } of models())
          for (const outcome of outcomes) add(counters.requests[outcome], { model: name, version, outcome })
      },
    })
    this.#counter('lstm_inferences_total', 'Rows computed for requests that were answered.', {
      labels: ['model', 'version'],
      read: (add) => {
        for (const { name, version, counters } of models()) add(counters.inferences, { model: name, version })
      },
    })
    this.#counter('lstm_model_reloads_total', 'Loads of a model that was being served already.', {
      labels: ['model', 'version', 'outcome'],
      read: (add) => {
        for (const { name, version, counters } of models())
          for (const outcome of ['ok', 'failed'] as const)
            add(counters.reloads[outcome], { model: name, version, outcome })
      },
    })
    this.#counter('lstm_requests_refused_total', 'Requests turned away before they reached a model.', {
      labels: ['reason'],
      read: (add) => {
        for (const reason of refusals) add(refused[reason], { reason })
      },
    })
    this.#counter('lstm_sessions_evicted_total', 'Sequences ended for being idle.', {
      labels: [],
      read: (add) => add(store.statistics.evicted, {}),
    })
    new Gauge({
      name: 'lstm_sessions_active',
      help: 'Sequences whose states are kept in this process.',
      registers,
      collect() {
        this.set(store.active)
      },
    })
    new Gauge({
      name: 'lstm_queue_size',
      help: 'Rows that wait for their batch.',
      labelNames: ['model', 'version'],
      registers,
      collect() {
        for (const { name, version, current } of models())
          this.set({ model: name, version }, current.batcher.statistics.queued)
      },
    })
    new Gauge({
      name: 'lstm_event_loop_delay_seconds',
      help: 'How late the event loop came to its timers since the last reading.',
      labelNames: ['quantile'],
      registers,
      collect() {
        for (const quantile of [0.5, 0.99]) {
          // The histogram holds whole intervals; a loop that is never late has nothing but the resolution in it.
          const late = delay.count ? delay.percentile(quantile * 100) / 1e9 - resolution / 1000 : 0
          this.set({ quantile }, Math.max(0, late))
        }
        delay.reset()
      },
    })
    const ofModel = (read: (counters: Counters) => Distribution) => () =>
      models().map(({ name, version, counters }) => ({
        labels: { model: name, version },
        distribution: read(counters),
      }))
    this.#histogram(
      'lstm_inference_duration_seconds',
      'From the head of a request to its answer, for requests that were answered with outputs.',
      ofModel(({ duration }) => duration),
    )
    this.#histogram(
      'lstm_queue_duration_seconds',
      'How long rows waited for their batch.',
      ofModel(({ queue }) => queue),
    )
    this.#histogram(
      'lstm_compute_duration_seconds',
      'How long batches were computed.',
      ofModel(({ compute }) => compute),
    )
    this.#histogram(
      'lstm_batch_size',
      'Rows in a batch.',
      ofModel(({ batchSize }) => batchSize),
    )
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  close(): void {
    this.#delay.disable()
    this.#registry.clear()
  }

  #counter(
    name: string,
    help: string,
    {
      labels,
      read,
    }: {
      labels: readonly string[]
      read: (add: (value: number, labels: Record<string, string>) => void) => void
    },
  ): void {
    new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        this.reset()
        read((value, given) => this.inc(given, value))
      },
    })
  }

  /** prom-client's own histogram finds its labels anew at each observation; this one is read when it is asked for. */
  #histogram(
    name: string,
    help: string,
    read: () => readonly { labels: Record<string, string>; distribution: Distribution }[],
  ): void {
    const get = async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: read().flatMap(({ labels, distribution }) => valuesOf(name, labels, distribution)),
    })
    // A registry asks for no more of a metric than this.
    this.#registry.registerMetric({ name, get, reset() {} } as unknown as Metric<string>)
  }
}

function valuesOf(name: string, labels: Record<string, string>, { bounds, counts, sum }: Distribution) {
  let total = 0
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, i) => {
    total += counts[i]
    const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound)
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ]
}
