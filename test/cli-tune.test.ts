/** `lstm tune`: what it writes, what it refuses, and that a search goes on where its process was killed. */
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { lstm, refusal, startLstm } from './support/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-tune-'))
afterAll(() => rmSync(folder, { recursive: true }))

const passengers = 'examples/data/airline-passengers.csv'

function search(name: string, ...more: string[]): string[] {
  return [
    ...['tune', passengers, '-t', 'Passengers', '-n', '3', '--input', '12', '--batch-size', '16'],
    ...['--hidden', '4,8', '--layers', '1', '--learning-rate', '0.001..0.05', '--dropout', '0'],
    ...['--trials', '3', '--min-epochs', '1', '--epochs', '3', '-o', join(folder, `${name}.safetensors`)],
    ...['--json', ...more],
  ]
}

describe('lstm tune', () => {
  it('writes the best forecaster, a report and a journal, and goes on from it', async () => {
    const first = await lstm(...search('air'))
    expect(first.error).toMatch(/trial 0 {2}hidden [48] {2}layers 1/)
    const document = JSON.parse(first.out)
    expect([first.code, document.trials.length, document.rungs.length, document.resumed]).toEqual([
      0, 3, 2, 0,
    ])
    const html = readFileSync(join(folder, 'air.tune.html'), 'utf8')
    expect(html).toContain('Every trial, the best first')
    expect(html).toContain('The loss (quantile loss) is that on the validation part')
    expect(html).not.toMatch(/\bNaN\b|undefined/)
    const again = JSON.parse((await lstm(...search('air'))).out)
    expect(again.resumed).toBe(4)
    expect(again.best).toEqual(document.best)
    expect(again.evaluations).toEqual(document.evaluations)
    const { code, out } = await lstm('predict', join(folder, 'air.safetensors'), passengers)
    expect([code, out.trim().split('\n').length]).toEqual([0, 4])
  })

  it.each([
    [['--seed', '2'], 'with seed 2, got that of another, with seed 1'],
    [['--head', 'gaussian'], 'with head "gaussian", got that of another, with head "quantiles"'],
    [['--quantiles', '0.5'], 'with quantiles [0.5], got that of another, with quantiles [0.1,0.5,0.9]'],
  ])('refuses the journal of other options: %j', async (flags, message) => {
    const line = await refusal(...search('air', ...flags))
    expect(line).toContain(`air.tune.jsonl, line 1: expected the journal of this search, ${message}`)
  })

  it('refuses the journal of other data', async () => {
    const path = join(folder, 'other.csv')
    writeFileSync(path, readFileSync(passengers, 'utf8').replace(/\d+$/m, '113'))
    const [command, , ...flags] = search('air')
    expect(await refusal(command, path, ...flags)).toMatch(/with values "[0-9a-f]{16}", got that of another/)
  })

  it('refuses options that do not go together before it begins, and does not mind them afterwards', async () => {
    const line = await refusal(...search('mended', '--mode', 'autoregressive', '--head', 'mean'))
    expect(line).toContain("draws from a distribution: expected head 'gaussian'")
    expect(existsSync(join(folder, 'mended.tune.jsonl'))).toBe(false)
    expect(await refusal(...search('mended', '--input', '130'))).toContain('too few rows')
    expect((await lstm(...search('mended', '--trials', '1'))).code).toBe(0)
  })

  it('searches for an autoregressive forecaster with a distribution, and says so in its report', async () => {
    const flags = ['--mode', 'autoregressive', '--head', 'studentT', '--difference', '12', '--paths', '20']
    const { code, out } = await lstm(...search('steps', ...flags, '--quantiles', '0.2,0.8', '--stride', '2'))
    expect([code, JSON.parse(out).evaluations.length]).toEqual([0, 1])
    const html = readFileSync(join(folder, 'steps.tune.html'), 'utf8')
    for (const text of [
      'autoregressive, 20 sample paths',
      'likelihood, Student’s t',
      'to the value 12 rows before',
      '<dd>0.2, 0.8</dd>',
    ])
      expect(html).toContain(text)
  })

  it('refuses ranges that are none', async () => {
    for (const [flag, value] of [
      ['--hidden', '8..4'],
      ['--hidden', '1..2..3'],
      ['--dropout', '1'],
      ['--learning-rate', '0..1'],
    ])
      expect(await refusal(...search('air', flag, value))).toMatch(/Expected/)
  })
})

describe('a search whose process is killed', () => {
  // Long enough that the kill comes before the end.
  const flags = ['--trials', '9', '--min-epochs', '4', '--epochs', '36', '--hidden', '16..64']
  const results = (out: string) => {
    const { best, trials, evaluations } = JSON.parse(out)
    const timeless = (trial: { results: { seconds: number }[] }) => ({
      ...trial,
      results: trial.results.map(({ seconds: _, ...each }) => each),
    })
    return { best: timeless(best), trials: trials.map(timeless), evaluations }
  }

  it('goes on from its journal in another process, to what an undisturbed one finds', async () => {
    const child = startLstm(...search('killed', ...flags))
    let error = ''
    child.stderr.on('data', (text) => {
      error += text
      if ((error.match(/^trial /gm)?.length ?? 0) >= 4) child.kill('SIGKILL')
    })
    const [code, signal] = await once(child, 'close')
    expect([code, signal]).toEqual([null, 'SIGKILL'])
    expect(existsSync(join(folder, 'killed.safetensors'))).toBe(false)
    const journal = join(folder, 'killed.tune.jsonl')
    const finished = readFileSync(journal, 'utf8').split('\n').slice(1, -1).length
    expect(finished).toBeGreaterThanOrEqual(4)

    const second = startLstm(...search('killed', ...flags))
    let out = ''
    let progress = ''
    second.stdout.on('data', (text) => (out += text))
    second.stderr.on('data', (text) => (progress += text))
    expect(await once(second, 'close')).toEqual([0, null])
    const undisturbed = await lstm(...search('undisturbed', ...flags))
    const all = undisturbed.error.match(/^trial /gm)!.length
    expect(JSON.parse(out).resumed).toBe(finished)
    expect(progress.match(/^trial /gm)).toHaveLength(all - finished)
    expect(results(out)).toEqual(results(undisturbed.out))
    const model = (name: string) => readFileSync(join(folder, `${name}.safetensors`))
    expect(model('killed').equals(model('undisturbed'))).toBe(true)
  })
})
