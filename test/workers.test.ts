/** The addon in worker threads: each has a state of its own, and ending one in the middle of a call harms nobody. */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = dirname(import.meta.dirname)
const addon: string = createRequire(import.meta.url)('node-gyp-build').resolve(root)
const program = join(import.meta.dirname, 'support', 'workers-program.mjs')

/** `npm run soak` runs all of it; `npm test` an eighth. */
const rounds = process.env.SOAK === 'full' ? 100 : 12

interface Report {
  target: string
  available: string[]
  threads: number
}

it(`8 workers ended in mid-call, ${rounds} times, neither crash the process nor leak`, {
  timeout: 300_000,
}, async () => {
  // Rejects, with the signal or the status, if the program dies.
  // One heap for all threads, trimmed early: with a heap for each, glibc keeps what ended threads gave back, and the
  // resident set moves by tens of megabytes from round to round.
  const env = { ...process.env, MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '65536' }
  const command = [program, addon, String(rounds), '8']
  const { stdout } = await promisify(execFile)(process.execPath, command, { env })
  const result: { before: Report; after: Report; reported: Report[]; grown: number } = JSON.parse(stdout)
  const { before, after, reported, grown } = result
  const { available } = before
  expect(reported.map(({ target }) => target)).toEqual(
    Array.from({ length: 8 }, (_, i) => available[i % available.length]),
  )
  expect(reported.map(({ threads }) => threads)).toEqual([1, 2, 3, 1, 2, 3, 1, 2])
  expect(after).toEqual(before)
  // An environment holds some hundred kilobytes of scratch memory: losing those of the rounds counted shows.
  expect(grown / 2 ** 20).toBeLessThan(20)
})
