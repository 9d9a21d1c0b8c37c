/** Memory over long runs: what training and prediction hold after thousands of rounds is what they held after a hundred. */
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compileLibrary } from './support/compiled.ts'

const program = join(import.meta.dirname, 'support', 'soak-program.mjs')

/** `npm run soak` runs all of it; `npm test` a fifth. */
const isFull = process.env.SOAK === 'full'
const trainingSteps = isFull ? 10_000 : 2_000
const predictions = isFull ? 100_000 : 20_000

/** A leak of 1 KiB a training step reaches this in the full run, one of 5 KiB in the short one. */
const megabytes = 10

interface Sizes {
  before: number
  after: number
}

let folder: string
beforeAll(() => {
  folder = compileLibrary()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it(`the resident set stays within ${megabytes} MB over ${trainingSteps} training steps and ${predictions} predictions`, {
  timeout: 300_000,
}, async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    // V8 doubles its nursery when it sees fit, 8 MB at a time: held small, what is measured is what the program holds.
    [
      '--expose-gc',
      '--max-semi-space-size=2',
      program,
      join(folder, 'lib', 'index.js'),
      String(trainingSteps),
      String(predictions),
    ],
    { env: { ...process.env, LSTM_NATIVE_BACKEND: 'native' } },
  )
  const report: { backend: string; fit: Sizes; loop: Sizes; prediction: Sizes } = JSON.parse(stdout)
  expect(report.backend).toBe('native')
  for (const name of ['fit', 'loop', 'prediction'] as const) {
    const { before, after } = report[name]
    expect(before).toBeGreaterThan(0)
    expect((after - before) / 2 ** 20, name).toBeLessThan(megabytes)
  }
  // From the first hundred steps to the end of everything.
  expect((report.prediction.after - report.fit.before) / 2 ** 20, 'overall').toBeLessThan(megabytes)
})
