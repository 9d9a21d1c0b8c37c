/**
 * The quickstart: an LSTM learns 235 years of sunspots, forecasts a year at a time over months it has not seen, and is
 * compared with the naive forecasts; saved and loaded again, it must predict the same bits.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { backend } from 'lstm-native'
import {
  comparison,
  Forecaster,
  pictureOf,
  readTable,
  reportOfTraining,
  seriesOf,
  trainForecaster,
} from 'lstm-native/forecast'

const here = dirname(fileURLToPath(import.meta.url))
const output = join(here, 'output')
await mkdir(output, { recursive: true })
const file = (name: string) => join(output, name)

const series = seriesOf(await readTable(join(here, '../data/monthly-sunspots.csv')), { target: 'Sunspots' })
const { name, target, reason } = backend()
console.log(`${series.name}: ${series.rows} months, ${series.labels[0]} to ${series.labels.at(-1)}`)
console.log(`back end: ${name} (${target}): ${reason}\n`)

// A window of eleven years shows the model a whole solar cycle; the naive forecasts get the year and the cycle as seasons.
const result = await trainForecaster(series, {
  horizon: 12,
  input: 132,
  periods: [12, 132],
  epochs: 24,
  seed: 1,
  onEpoch({ number, epochs, loss, validationLoss, samplesPerSecond }) {
    const rate = Math.round(samplesPerSecond).toLocaleString('en-US')
    console.log(
      `epoch ${String(number).padStart(2)}/${epochs}   loss ${loss.toFixed(4)}   ` +
        `validation ${validationLoss!.toFixed(4)}   ${rate} windows/s`,
    )
  },
})
const { forecaster, seconds, bestEpoch, splits } = result
const [evaluation] = result.evaluations
console.log(`\ntrained in ${seconds.toFixed(1)} s; kept epoch ${bestEpoch}`)
console.log(
  `\nmean absolute error, ${evaluation.forecasts.origins.length} forecasts of 12 months from ${series.labels[splits[0].test]} on:`,
)
for (const { name, mae } of evaluation.scores)
  console.log(`  ${name.padEnd(22)} ${mae.toFixed(2).padStart(6)}`)
const { share, relation, best } = comparison(evaluation)
console.log(`the LSTM is ${share} ${relation} the best of the naive forecasts, ${best.name}`)

await forecaster.save(file('sunspots.safetensors'))
const again = await Forecaster.load(file('sunspots.safetensors'))
const before = evaluation.forecasts.values
const after = again.forecast(series, evaluation.forecasts.origins).values
if (!Buffer.from(before.buffer).equals(Buffer.from(after.buffer))) {
  throw new Error('the model loaded again does not predict the same bits')
}
console.log(
  `\nsaved, loaded again: all ${after.length.toLocaleString('en-US')} predicted values have the same bits`,
)

await writeFile(file('sunspots.html'), await reportOfTraining(series, result))
// The picture of the README is a copy of this one.
await writeFile(file('forecast.svg'), await pictureOf(series, forecaster, evaluation))
console.log(`model   ${relative('', file('sunspots.safetensors'))}`)
console.log(`report  ${relative('', file('sunspots.html'))}   (open it in a browser)`)

if (!(evaluation.improvement! >= 0.15))
  throw new Error(`expected to be at least 15 % below the naive forecasts, got ${share} ${relation}`)
