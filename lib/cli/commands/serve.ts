/** `lstm serve` as a command: its options and help. */
import { type Command, Option } from 'commander'
import { defaults, logLevels } from '../../serve/options.ts'
import { integer, integers } from '../parsers.ts'
import type { Terminal } from '../terminal.ts'
import { examples } from './help.ts'

export function addServe(command: Command, terminal: Terminal): void {
  const count = (flag: string, what: string, value: number) =>
    command.option(`${flag} <count>`, what, integer(), value)
  const ms = (flag: string, what: string, value?: number) =>
    command.option(`${flag} <ms>`, what, integer(value === 0 ? 0 : 1), value)
  command
    .argument(
      '<model...>',
      'PATH, NAME=PATH or NAME:VERSION=PATH; a folder of folders 1, 2, ... holds versions',
    )
    .option('--host <address>', 'where to listen; others can reach 0.0.0.0', defaults.host)
    .option('--port <port>', '0 takes one that is free', integer(0), defaults.port)
    .option(
      '--threads <count>',
      'threads of the kernels (default: as many as the container’s CPU quota)',
      integer(),
    )
  count('--max-batch-size', 'rows that run in one batch', defaults.maxBatchSize)
  command
    .option('--max-queue-delay <µs>', 'how long a batch may wait to fill up', integer(0), 0)
    .option('--preferred-batch-sizes <sizes>', 'sizes at which a batch waits no longer: 8,16', integers)
  count(
    '--max-queue-size',
    'rows of a model that may wait; more are answered with 503',
    defaults.maxQueueSize,
  )
  ms('--timeout', 'how long a request may wait for its batch, then 504 (default: as long as it takes)')
  command.option('--state <url>', 'redis://HOST:PORT: where replicas share the states of sequences')
  ms('--max-sequence-idle', 'ends a sequence without requests', defaults.maxSequenceIdle)
  count('--max-sequences', 'sequences at once', defaults.maxSequences)
  command
    .option('--api-key-file <file>', 'keys, one a line, one of which a request must bring')
    .option('--tls-cert <file>', 'PEM')
    .option('--tls-key <file>', 'PEM')
  count('--body-limit', 'bytes of a request', defaults.bodyLimit)
  count('--max-elements', 'numbers in a tensor', defaults.maxElements)
  count('--max-batch', 'rows of a request', defaults.maxBatch)
  count('--max-steps', 'steps of a row', defaults.maxSteps)
  count('--max-connections', 'connections at once', defaults.maxConnections)
  ms('--headers-timeout', 'for the head of a request', defaults.headersTimeout)
  ms('--request-timeout', 'for all of a request', defaults.requestTimeout)
  ms('--keep-alive-timeout', 'between two requests of a connection', defaults.keepAliveTimeout)
  ms('--drain-timeout', 'for requests under way at SIGTERM', defaults.drainTimeout)
  ms('--drain-delay', 'takes connections that long after SIGTERM while the ready probe says no', 0)
  command
    .option('--no-watch', 'load models anew on SIGHUP only, not when their files change')
    .addOption(
      new Option('--log-level <level>', 'requests are logged at debug').choices(logLevels).default('info'),
    )
    .addHelpText(
      'after',
      examples(
        'lstm serve monthly-sunspots.safetensors',
        'lstm serve tagger=tagger.onnx scores=scores/ --host 0.0.0.0 --api-key-file keys --max-queue-delay 500',
        'lstm serve demand:2=demand.keras --state redis://cache:6379 --log-level debug',
      ) +
        '\nSIGHUP loads models, keys and certificates anew; SIGTERM answers what has come, then ends; a second one ends at once.\n',
    )
    .action(async (models, { maxQueueDelay, ...options }) =>
      (await import('../serve.ts')).serve(
        models,
        { ...options, maxQueueDelayMicroseconds: maxQueueDelay },
        terminal,
      ),
    )
}
