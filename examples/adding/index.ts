/**
 * Learns the adding problem (task.ts) and counts the fresh sequences it gets wrong:
 * `npm run recipe -- adding --length 100 --seeds 1,2,3`.
 */
import { parseArgs } from 'node:util'
import {
  adam,
  type Batch,
  backend,
  cosine,
  evaluate,
  fit,
  Linear,
  LSTM,
  lastStep,
  meanSquaredError,
  Random,
  Sequential,
  within,
} from 'lstm-native'
import { addingBatch, longest, testSize, tolerance } from './task.ts'

const usage = `Usage: npm run recipe -- adding [options]

  --length N      nominal sequence length, at least 20 (default 100)
  --seeds A,B,C   one training run for each seed (default 1,2,3)
  --seed A        the same as --seeds A
  --json          the result as JSON

The exit code is 0 if every run gets at most 26 of 2,560 fresh sequences wrong (1 %), 1 if not, 2 for bad options.`

const passing = 26
const epochs = 12
const batchesPerEpoch = 250
const batchSize = 32

export async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>
  try {
    options = readOptions(args)
  } catch (error) {
    console.error(`adding: ${(error as Error).message}`)
    return 2
  }
  const { length, seeds, json, help } = options
  if (help) {
    console.log(usage)
    return 0
  }
  const { name, target, threads } = backend()
  console.error(
    `adding problem, T = ${length} to ${longest(length)}, on ${name} ${target}, threads: ${threads}`,
  )
  const runs = []
  for (const seed of seeds) {
    const run = await learn(length, seed)
    runs.push(run)
    const { wrong, learned, seconds } = run
    if (!json) {
      console.log(
        `seed ${seed}: ${wrong} of ${testSize} wrong after ${learned} sequences, ${seconds.toFixed(1)} s`,
      )
    }
  }
  const passed = runs.every(({ wrong }) => wrong <= passing)
  if (json) console.log(JSON.stringify({ length, testSize, tolerance, runs, passed }))
  return passed ? 0 : 1
}

/** Trains a network on fresh sequences, none seen twice, and tests it on others. */
async function learn(length: number, seed: number) {
  const began = performance.now()
  const model = new Sequential([
    // Forget gates that start out remembering for up to the whole sequence are what makes this quick.
    new LSTM({ inputSize: 2, hiddenSize: 64, initialisation: 'chrono', chronoLength: longest(length), seed }),
    lastStep(),
    new Linear({ inputSize: 64, outputSize: 1, seed: seed + 1 }),
  ])
  const correct = within({ tolerance })
  const training = fit(model, ({ random }) => freshBatches(length, random), {
    loss: meanSquaredError,
    optimizer: adam({ learningRate: 5e-3 }),
    schedule: cosine({ length: epochs * batchesPerEpoch }),
    clipNorm: 1,
    epochs,
    metrics: { correct },
    seed,
  })
  let learned = 0
  for await (const epoch of training) {
    learned += epoch.samples
    const wrong = `${((1 - epoch.metrics.correct) * 100).toFixed(2)} % wrong`
    const rate = `${epoch.samplesPerSecond.toFixed(0)} sequences/s`
    console.error(
      `seed ${seed}  epoch ${epoch.number}/${epochs}  loss ${epoch.loss.toFixed(6)}  ${wrong}  ${rate}`,
    )
  }
  // A stream of its own: no seed of a training run is negative.
  const test = addingBatch(length, { size: testSize, random: new Random(-seed - 1) })
  const { metrics, loss } = await evaluate(model, test, { loss: meanSquaredError, metrics: { correct } })
  const wrong = Math.round((1 - metrics.correct) * testSize)
  return { seed, wrong, loss, learned, seconds: (performance.now() - began) / 1000 }
}

function* freshBatches(length: number, random: Random): Generator<Batch> {
  for (let n = 0; n < batchesPerEpoch; n++) yield addingBatch(length, { size: batchSize, random })
}

function readOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      length: { type: 'string', default: '100' },
      seeds: { type: 'string', default: '1,2,3' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const length = readInteger('--length', values.length, 20)
  const seeds = (values.seed ?? values.seeds).split(',').map((text) => readInteger('--seeds', text, 0))
  return { length, seeds, json: values.json, help: values.help }
}

function readInteger(name: string, text: string, minimum: number): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= minimum) return value
  throw new RangeError(`${name}: expected an integer of at least ${minimum}, got "${text}"`)
}
