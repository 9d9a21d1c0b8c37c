/** The README's TypeScript: every block is type-checked and run as it stands. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Guide, readGuide } from './support/guide.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

let folder = ''
let guide: Guide

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'readme-'))
  guide = await readGuide('README.md', folder)
})

afterAll(() => rm(folder, { recursive: true }))

describe('the README', () => {
  it('has a first model in 25 lines that learns the next week of a series', async () => {
    expect(
      guide.blocks[0]
        .trimEnd()
        .split('\n')
        .filter((line) => line.trim()).length,
    ).toBeLessThanOrEqual(25)
    const lines = await guide.output(0)
    const losses = lines.filter((line) => /^\d/.test(line)).map((line) => Number(line.split(' ')[2]))
    expect(losses).toHaveLength(20)
    // The series' variance is about 1, which is what a model that has learnt nothing leaves.
    expect(losses.at(-1)).toBeLessThan(0.05)
    const text = lines.slice(20).join(' ')
    const week = [...text.matchAll(/-?\d+\.\d+/g)].map(Number)
    const truth = Array.from(
      { length: 7 },
      (_, i) => Math.sin((2 * Math.PI * (730 + i)) / 7) + Math.sin((730 + i) / 60),
    )
    expect(week).toHaveLength(7)
    // Twice the square root of the bound on the loss: no day may stand out of what the model has learnt.
    for (const [i, value] of week.entries()) expect(Math.abs(value - truth[i])).toBeLessThan(0.45)
  })

  it('has a training loop of its own whose loss falls', async () => {
    const losses = (await guide.output(1)).map((line) => Number(line.split(' ')[1]))
    expect(losses).toHaveLength(3)
    // ln 2 is the loss of a classifier that knows nothing of two classes.
    expect(losses[0]).toBeLessThan(Math.log(2))
    expect(losses[2]).toBeLessThan(losses[0])
  })

  it('takes a model to Keras, PyTorch and ONNX and back, the same', async () => {
    const outputs = (await guide.output(2)).map((line) => (JSON.parse(line) as [number[]])[0])
    expect(outputs.map(({ length }) => length)).toEqual([2, 2, 2])
    // Float32 sums in another order.
    for (const each of outputs) for (const [i, n] of each.entries()) expect(n).toBeCloseTo(outputs[0][i], 6)
  })

  it('serves the first model and asks it over HTTP', async () => {
    const text = (await guide.output(3)).join(' ')
    expect(text).toContain("model_name: 'weekly'")
    expect(text).toContain("datatype: 'FP32'")
  })

  it('generates what a model has learnt by heart', async () => {
    const n = guide.blocks.findIndex((block) => block.includes('generate('))
    expect(guide.blocks[n].split('\n').filter((line) => line.trim()).length).toBeLessThanOrEqual(12)
    expect(await guide.output(n)).toEqual(['sells sea shells by the sea shore.'])
  })

  it('tells of the recipes what their last runs recorded', async () => {
    const results: Record<string, { seconds: number; figures: { name: string; value: number }[] }> =
      JSON.parse(await readFile(join(root, 'examples/results.json'), 'utf8'))
    const of = (recipe: string, name: string, digits: number) =>
      results[recipe].figures.find((figure) => figure.name.startsWith(name))!.value.toFixed(digits)
    const minutes = (recipe: string) => Math.round(results[recipe].seconds / 60)
    const cells = [...guide.text.matchAll(/^\| (`\w+`.*?) \| .*? \| (.*?) \| \[/gm)].map(([, name, cell]) => [
      name,
      cell,
    ])
    expect(cells).toEqual([
      [
        '`temperatures`',
        `RMSE ${of('temperatures', 'RMSE, worst', 2)} °C; the last value ${of('temperatures', 'RMSE of pers', 2)}`,
      ],
      ['`pollution`', `RMSE ${of('pollution', 'RMSE below', 1)} % below the last value`],
      ['`ett`', `MSE ${of('ett', 'MSE', 3)}; Informer 0.577`],
      [
        '`characters`',
        `${of('characters', 'held out', 2)} nats a letter in ${minutes('characters')} minutes`,
      ],
      ['`sentiment`', `${of('sentiment', 'right, mean', 1)} % right in ten folds`],
      ['`translation`', `${of('translation', 'BLEU', 1)} BLEU in ${minutes('translation')} minutes`],
      ['`speech`', `${of('speech', 'word error rate, prefix', 2)} % of the words wrong`],
      ['`digits`', `${of('digits', 'read rightly', 1)} % right, worst of three seeds`],
      ['`adding`, `order`, `reber`', 'none wrong, up to 1,000 steps'],
    ])
    const wrong = [
      of('adding', 'LSTM, T = 1000', 2),
      of('order', 'wrong', 2),
      of('reber', 'wrong strings', 2),
    ]
    expect(wrong).toEqual(['0.00', '0.00', '0.00'])
  })

  it('names commands and files that exist', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    const named = [...guide.text.matchAll(/npm run ([\w:]+)/g)].map((match) => match[1])
    expect(named.length).toBeGreaterThan(3)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
    const links = [...guide.text.matchAll(/\]\(([^)]+)\)/g), ...guide.text.matchAll(/^- `([\w./]+)`/gm)].map(
      (match) => match[1],
    )
    expect(links.length).toBeGreaterThan(10)
    expect(
      links.filter(
        (path) => !ts.sys.fileExists(join(root, path)) && !ts.sys.directoryExists(join(root, path)),
      ),
    ).toEqual([])
  })
})
