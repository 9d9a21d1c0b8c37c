/** Searches by successive halving: who goes on, what a seed fixes, and that a journal loses and repeats nothing. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataError, NonFiniteLossError, type SearchSpace, type TuneOptions, tune } from 'lstm-native'
import { afterAll, describe, expect, it } from 'vitest'
import { Random } from '../lib/random.ts'
import { drawConfigurations } from '../lib/training/tuning/space.ts'
import { rungsOf } from '../lib/training/tuning/tune.ts'

const folder = mkdtempSync(join(tmpdir(), 'tune-'))
afterAll(() => rmSync(folder, { recursive: true }))

const space = {
  rate: { from: 1e-4, to: 1, scale: 'log' },
  size: [1, 2, 3],
} as const satisfies SearchSpace

/** A search whose best rate is 0.01, and which knows it better the more it may spend. */
function search(options: Partial<TuneOptions<typeof space>> = {}) {
  const asked: string[] = []
  const result = tune({
    space,
    trials: 9,
    maxResource: 9,
    evaluate({ rate, size }, { trial, rung, resource }) {
      asked.push(`${trial}/${rung}`)
      return Math.abs(Math.log10(rate) + 2) + size / 10 + 1 / resource
    },
    ...options,
  })
  return { asked, result }
}

describe('the rungs of successive halving', () => {
  it.each([
    // Table 1 of Li et al. (2018) for R = 81, η = 3: 81 × 1, 27 × 3, 9 × 9, 3 × 27, 1 × 81.
    [81, 3, 1, 81, '81×1 27×3 9×9 3×27 1×81'],
    [27, 3, 3, 27, '27×3 9×9 3×27'],
    [10, 3, 1, 9, '10×1 3×3 1×9'],
    [4, 2, 1, 100, '4×25 2×50 1×100'],
    [1, 3, 1, 9, '1×9'],
    [9, 3, 9, 9, '9×9'],
  ])('are for %d trials, η = %d, resources %d to %d: %s', (trials, reduction, minResource, maxResource, text) => {
    const rungs = rungsOf(trials, { reduction, minResource, maxResource })
    expect(rungs.map((rung) => `${rung.trials}×${rung.resource}`).join(' ')).toBe(text)
  })
})

describe('a search', () => {
  it('lets the best third of a rung go on, and finds the best of all', async () => {
    const { asked, result } = search()
    const { best, trials, rungs } = await result
    expect(rungs).toEqual([
      { resource: 1, trials: 9 },
      { resource: 3, trials: 3 },
      { resource: 9, trials: 1 },
    ])
    expect(asked).toHaveLength(13)
    expect(new Set(asked).size).toBe(13)
    const losses = trials.map(
      ({ configuration: { rate, size } }) => Math.abs(Math.log10(rate) + 2) + size / 10,
    )
    expect(losses[0]).toBe(Math.min(...losses))
    expect(best).toBe(trials[0])
    expect(trials.map(({ results }) => results.length)).toEqual([3, 2, 2, 1, 1, 1, 1, 1, 1])
    const second = losses.slice(0, 3).toSorted((a, b) => a - b)
    expect(losses.slice(3).every((loss) => loss >= second[2])).toBe(true)
  })

  it('is the same for the same seed, another for another', async () => {
    const rates = async (seed: number) =>
      (await search({ seed }).result).trials.map(({ configuration }) => configuration.rate)
    expect(await rates(1)).toEqual(await rates(1))
    expect(await rates(1)).not.toEqual(await rates(2))
  })

  it('passes by trials that fail, and throws if all do', async () => {
    const fail = () => {
      throw new NonFiniteLossError({ step: 1, loss: Number.NaN, largestGradient: { name: 'w', value: 1 } })
    }
    const some = await search({
      evaluate: ({ rate }, { trial }) => (trial === 0 ? fail() : trial === 1 ? Number.NaN : rate),
    }).result
    const failed = some.trials.filter(({ results }) => results[0].error !== undefined)
    expect(failed.map(({ trial }) => trial).sort()).toEqual([0, 1])
    expect(some.trials.slice(-2)).toEqual(expect.arrayContaining(failed))
    await expect(search({ evaluate: fail }).result).rejects.toThrow(
      /every trial failed, the first with: fit: the loss is NaN/,
    )
    const broken = search({ evaluate: () => Promise.reject(new TypeError('a bug')) })
    await expect(broken.result).rejects.toThrow('a bug')
  })

  it('refuses options that cannot be', async () => {
    await expect(search({ space: {} as never }).result).rejects.toThrow(
      'expected a space of at least one option',
    )
    await expect(search({ trials: 0 }).result).rejects.toThrow(
      'expected trials to be a positive integer, got 0',
    )
    await expect(search({ reduction: 1 }).result).rejects.toThrow('expected reduction in')
    await expect(search({ maxResource: 0.5 }).result).rejects.toThrow('expected maxResource in')
    await expect(search({ spce: space } as never).result).rejects.toThrow('did you mean "space"?')
    const log = { rate: { from: 0, to: 1, scale: 'log' } } as never
    await expect(search({ space: log }).result).rejects.toThrow(
      'expected rate to be a range above 0, got 0 to 1',
    )
  })
})

describe('configurations', () => {
  it('are uniform in each range, or in its logarithm, and integers include both ends', () => {
    const ranges = { a: { from: 1e-4, to: 1, scale: 'log' }, n: { from: 1, to: 3, integer: true } } as const
    const drawn = drawConfigurations(ranges, 3000, new Random(1))
    const share = (test: (each: (typeof drawn)[number]) => boolean) =>
      drawn.filter(test).length / drawn.length
    // ± 4 deviations of a binomial share of 3,000.
    for (const n of [1, 2, 3]) expect(Math.abs(share((each) => each.n === n) - 1 / 3)).toBeLessThan(0.035)
    expect(Math.abs(share(({ a }) => a < 1e-2) - 0.5)).toBeLessThan(0.037)
    expect(drawn.every(({ a }) => a >= 1e-4 && a <= 1)).toBe(true)
  })

  it('do not come twice, and are fewer where the space has no more', () => {
    const drawn = drawConfigurations({ a: [1, 2], b: ['x', 'y'] }, 9, new Random(1))
    expect(new Set(drawn.map((each) => JSON.stringify(each))).size).toBe(4)
    expect(drawn).toHaveLength(4)
  })
})

describe('a journal', () => {
  const without = ({ results }: { results: readonly { loss: number }[] }) => results.map(({ loss }) => loss)

  it.each([1, 5, 9, 12])('goes on after %d results as if nothing had been', async (after) => {
    const journal = join(folder, `stopped-${after}.jsonl`)
    const unstopped = search()
    const whole = await unstopped.result
    const interruption = new AbortController()
    let finished = 0
    const first = search({
      journal,
      signal: interruption.signal,
      onTrial: () => {
        if (++finished === after) interruption.abort()
      },
    })
    await expect(first.result).rejects.toThrow(/abort/)
    const second = search({ journal })
    const { trials, resumed } = await second.result
    expect(resumed).toBe(after)
    expect([...first.asked, ...second.asked].toSorted()).toEqual(unstopped.asked.toSorted())
    expect(trials.map(without)).toEqual(whole.trials.map(without))
    expect(trials.map(({ trial }) => trial)).toEqual(whole.trials.map(({ trial }) => trial))
  })

  it('runs a trial again whose line was cut off, and no other', async () => {
    const journal = join(folder, 'cut.jsonl')
    await search({ journal }).result
    const text = readFileSync(journal, 'utf8')
    truncateSync(journal, Buffer.byteLength(text) - 7)
    const { asked, result } = search({ journal })
    await result
    expect(asked).toHaveLength(1)
    expect(
      readFileSync(journal, 'utf8')
        .split('\n')
        .map((line) => line.replace(/"seconds":[^,}]*/, '')),
    ).toEqual(text.split('\n').map((line) => line.replace(/"seconds":[^,}]*/, '')))
  })

  it('keeps failures, and is refused by another search, and where it is no journal', async () => {
    const journal = join(folder, 'other.jsonl')
    await search({ journal, evaluate: ({ rate }, { trial }) => (trial === 3 ? Number.NaN : rate) }).result
    const { asked, result } = search({ journal })
    await result
    expect(asked).toEqual([])
    await expect(search({ journal, trials: 10 }).result).rejects.toThrow(DataError)
    await expect(search({ journal, trials: 10 }).result).rejects.toThrow(
      /line 1: expected the journal of this search/,
    )
    appendFileSync(journal, '{"no":"trial"}\n')
    await expect(search({ journal }).result).rejects.toThrow(/line 15: expected a finished trial as JSON/)
    writeFileSync(journal, 'a,b\n1,2\n')
    await expect(search({ journal }).result).rejects.toThrow(/expected the journal of a search, got "a,b"/)
  })

  it('is refused by a search of another subject, which is told what differs', async () => {
    const journal = join(folder, 'subject.jsonl')
    await search({ journal, subject: { horizon: 3, head: 'mean' } }).result
    await expect(search({ journal, subject: { horizon: 3, head: 'gaussian' } }).result).rejects.toThrow(
      'with head "gaussian", got that of another, with head "mean"; name another journal',
    )
    await expect(search({ journal }).result).rejects.toThrow(
      'with horizon by default, head by default, got that of another, with horizon 3, head "mean"',
    )
    expect((await search({ journal, subject: { horizon: 3, head: 'mean' } }).result).resumed).toBe(13)
  })

  it('of another search that has no trial yet is begun anew; another file is left as it is', async () => {
    const journal = join(folder, 'begun.jsonl')
    const stopped = search({ journal, seed: 7, signal: AbortSignal.abort() })
    await expect(stopped.result).rejects.toThrow(/abort/)
    expect(readFileSync(journal, 'utf8')).toMatch(/^\{"kind":"tune 1".*"seed":7\}\n$/)
    await search({ journal }).result
    const again = search({ journal })
    expect([(await again.result).resumed, again.asked]).toEqual([13, []])
    for (const text of ['a line without an end', '{"kind":"tune 1",\n']) {
      writeFileSync(journal, text)
      await expect(search({ journal }).result).rejects.toThrow(/expected the journal of a search/)
      expect(readFileSync(journal, 'utf8')).toBe(text)
    }
    // What a search has begun to write when its process died is no other file.
    writeFileSync(journal, '{"kind":"tu')
    expect((await search({ journal }).result).resumed).toBe(0)
  })
})
