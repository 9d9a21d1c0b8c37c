/** Memory over long runs: what training and prediction hold after thousands of rounds is what they held after a hundred. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const program = join(import.meta.dirname, 'support', 'soak-program.ts')

/** `npm run soak` runs all of it; `npm test` a tenth. */
const isFull = process.env.SOAK === 'full'
const trainingSteps = isFull ? 10_000 : 1_000
const predictions = isFull ? 100_000 : 10_000

/** A leak of 1 KiB a step would show ten times over in the full run, and as much again in the short one. */
const megabytes = 10

interface Report {
  backend: string
  training: { before: number; after: number }
  prediction: { before: number; after: number }
  checksum: number
}

async function soak(): Promise<Report> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', program, String(trainingSteps), String(predictions)],
    { env: { ...process.env, LSTM_NATIVE_BACKEND: 'native' } },
  )
  return JSON.parse(stdout)
}

describe('the resident set', () => {
  it(`stays within ${megabytes} MB over ${trainingSteps} training steps and ${predictions} single-step predictions`, {
    timeout: 300_000,
  }, async () => {
    const { backend, training, prediction, checksum } = await soak()
    expect(backend).toBe('native')
    expect(Number.isFinite(checksum)).toBe(true)
    for (const { before, after } of [training, prediction]) {
      expect((after - before) / 2 ** 20).toBeLessThan(megabytes)
    }
  })
})
