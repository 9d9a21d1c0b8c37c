/** The `lstm` command: what it prints, where, and with which exit code. Runs in this process unless the process matters. */
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadOnnx } from '../lib/formats/onnx/index.ts'
import { encodeSafetensors } from '../lib/formats/safetensors/index.ts'
import { lstm, refusal, startLstm as start } from './support/command.ts'

const passengers = 'examples/data/airline-passengers.csv'
let folder = ''
let model = ''

/** A model small enough to train in a moment. */
const quick = ['--input', '12', '--epochs', '2', '--hidden', '4', '--batch-size', '16']

/** Tensors of zeros under names, for files of other makers. */
function zeros(entries: readonly [name: string, shape: number[]][]) {
  return new Map(
    entries.map(([name, shape]) => {
      return [name, { shape, data: new Float32Array(shape.reduce((product, n) => product * n, 1)) }]
    }),
  )
}

async function csv(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

function trainOn(path: string, ...more: string[]): string[] {
  return ['train', path, '--output', join(folder, 'other.safetensors'), '--horizon', '6', ...quick, ...more]
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lstm-'))
  model = join(folder, 'air.safetensors')
  const { code, error } = await lstm(
    'train',
    passengers,
    '-t',
    'Passengers',
    '-n',
    '6',
    ...quick,
    '-o',
    model,
  )
  expect([code, error.split('\n')[0]]).toEqual([
    0,
    'airline-passengers.csv: 144 rows from 1949-01 to 1960-12; missing values: none',
  ])
})

afterAll(() => rm(folder, { recursive: true }))

describe('lstm train', () => {
  it('writes the model and a report, and prints scores beside the naive ones', async () => {
    const { code, out, error } = await lstm(
      ...trainOn(passengers, '--target', 'Passengers', '--period', '12,24'),
    )
    expect(code).toBe(0)
    for (const name of ['LSTM', 'persistence', 'seasonal naive (12)', 'seasonal naive (24)']) {
      expect(out).toMatch(
        new RegExp(`^${name.replace(/[()]/g, '\\$&')} +\\d+\\.\\d{3} +\\d+\\.\\d{3} +\\d+\\.\\d %`, 'm'),
      )
    }
    expect(out).toContain(`report  ${join(folder, 'other.html')}\n`)
    expect(await readFile(join(folder, 'other.html'), 'utf8')).toMatch(/^<!doctype html>/)
    expect(error).toMatch(/\nepoch 2\/2 {2}loss \d\.\d{4} {2}validation \d\.\d{4} {2}[\d,]+ windows\/s/)
  })

  it('prints one JSON document with --json, and progress apart from it', async () => {
    const { code, out, error } = await lstm(...trainOn(passengers, '--target', 'Passengers', '--json'))
    const document = JSON.parse(out)
    expect(code).toBe(0)
    expect(document.series).toEqual([
      { name: 'airline-passengers.csv', rows: 144, training: 117, validation: 13, test: 14 },
    ])
    expect(document.epochs).toHaveLength(2)
    const [{ scores }] = document.evaluations
    expect(scores.map(({ name }: { name: string }) => name)).toEqual([
      'LSTM',
      'persistence',
      'seasonal naive (12)',
    ])
    const [{ mae, coverage }] = scores
    expect([mae > 0, coverage >= 0 && coverage <= 1]).toEqual([true, true])
    expect(error).toContain('epoch 1/2')
  })

  it('gives the same bits for the same seed, and others for another', async () => {
    const train = async (seed: string, name: string) => {
      const output = join(folder, name)
      await lstm('train', passengers, '-t', 'Passengers', '-n', '6', ...quick, '--seed', seed, '-o', output)
      return readFile(output)
    }
    const [first, second, third] = [
      await train('5', 'a.st'),
      await train('5', 'b.st'),
      await train('6', 'c.st'),
    ]
    expect(first.equals(second)).toBe(true)
    expect(first.equals(third)).toBe(false)
  })

  it('says so where a naive forecast cannot be beaten', async () => {
    const path = await csv('flat.csv', `v\n${'7\n'.repeat(60)}`)
    const { code, out } = await lstm(...trainOn(path, '-t', 'v'))
    expect([code, out.includes('No forecast can be better than persistence, which is exact here.')]).toEqual([
      0,
      true,
    ])
  })

  it('takes covariates, missing values and their indicator along into the model', async () => {
    const rows = Array.from({ length: 80 }, (_, t) => `${Math.sin(t)},${t % 9 === 4 ? 'NA' : t % 7},${t}`)
    const path = await csv('weather.csv', `y,a,b\n${rows.join('\n')}\n`)
    const { error } = await lstm(...trainOn(path, '-t', 'y', '-c', 'a,b', '--missing-indicator'))
    expect(error).toContain('missing values: 9 in a\n')
    const { out } = await lstm('inspect', join(folder, 'other.safetensors'), '--json')
    const { metadata, tensors } = JSON.parse(out)
    expect(metadata['lstm_native.forecast'].columns).toEqual({
      targets: ['y'],
      covariates: ['a', 'b'],
      known: [],
      statics: [],
      indicators: ['a'],
    })
    expect(tensors.find(({ name }: { name: string }) => name === '0.weight_ih_l0').shape).toEqual([16, 4])
  })
})

describe('lstm train refuses in one line, with code 2,', () => {
  const air = ['train', passengers, '--horizon', '6', '--target', 'Passengers']
  it.each([
    ['a file that does not exist', ['train', 'no.csv', '-t', 'a', '-n', '1'], 'lstm: no.csv: no such file'],
    [
      'a column that does not exist',
      ['train', passengers, '-n', '6', '-t', 'Pasengers'],
      'lstm: airline-passengers.csv: no column "Pasengers"; did you mean "Passengers"?',
    ],
    [
      'a covariate that does not exist',
      [...air, '-c', 'Moth'],
      'lstm: airline-passengers.csv: no column "Moth"; did you mean "Month"?',
    ],
    [
      'a column asked for twice',
      [...air, '-c', 'Passengers'],
      'lstm: the column "Passengers" is asked for twice',
    ],
    [
      'a column of dates as a target',
      ['train', passengers, '-n', '6', '-t', 'Month'],
      'lstm: airline-passengers.csv: row 1 (line 2), column "Month": expected a finite number, got "1949-01"',
    ],
    [
      'a horizon longer than the data',
      ['train', passengers, '-t', 'Passengers', '-n', '500'],
      'lstm: airline-passengers.csv: a horizon of 500 is longer than the data (144 rows)',
    ],
    [
      'a horizon that leaves nothing to train on',
      ['train', passengers, '-t', 'Passengers', '-n', '60'],
      'lstm: airline-passengers.csv: too few rows: of 144, 120 are for validation and test, and training needs more than the horizon of 60; shorten the horizon or bring more data',
    ],
    [
      'too few rows for a window',
      [...air, '--input', '120'],
      'lstm: too few rows: the training part has 117, a window takes 126 (input 120 + horizon 6); shorten input or horizon, or bring more data',
    ],
    [
      'an unknown option',
      [...air, '--epoch', '3'],
      "lstm: unknown option '--epoch' (Did you mean --epochs?)",
    ],
    ['an unknown command', ['trian', passengers], "lstm: unknown command 'trian' (Did you mean train?)"],
    [
      'a missing option',
      ['train', passengers, '-n', '6'],
      "lstm: required option '-t, --target <columns>' not specified",
    ],
    ['a missing file', ['train', '-t', 'a', '-n', '1'], "lstm: missing required argument 'csv'"],
    [
      'one file too many',
      [...air, 'b.csv'],
      "lstm: too many arguments for 'train'. Expected 1 argument but got 2.",
    ],
    [
      'a horizon that is no number',
      ['train', passengers, '-t', 'a', '-n', 'many'],
      "lstm: option '-n, --horizon <rows>' argument 'many' is invalid. Expected an integer of at least 1.",
    ],
    [
      'a horizon of nothing',
      ['train', passengers, '-t', 'a', '-n', '0'],
      "lstm: option '-n, --horizon <rows>' argument '0' is invalid. Expected an integer of at least 1.",
    ],
    [
      'a share that is none',
      [...air, '--test', '1'],
      "lstm: option '--test <share>' argument '1' is invalid. Expected a number above 0 and below 1.",
    ],
    [
      'quantiles out of order',
      [...air, '--quantiles', '0.9,0.1'],
      "lstm: option '--quantiles <shares>' argument '0.9,0.1' is invalid. Expected shares in increasing order.",
    ],
    [
      'an output in a folder that does not exist',
      [...air, '-o', '/nowhere/at/all.safetensors'],
      'lstm: /nowhere/at/all.safetensors: no such folder: /nowhere/at',
    ],
    [
      'an output over the data',
      [...air, '-o', passengers],
      `lstm: ${passengers}: the output would overwrite the csv; choose another --output`,
    ],
  ])('%s', async (_, argv, message) => {
    expect(await refusal(...argv)).toBe(message)
  })

  it('a cell that is no number, with its row', async () => {
    const path = await csv('bad.csv', 'day,v\n2020-01-01,1\n2020-01-02,two\n')
    expect(await refusal(...trainOn(path, '-t', 'v'))).toBe(
      'lstm: bad.csv: row 2 (line 3), column "v": expected a finite number, got "two"',
    )
  })

  it('an empty file, and rows of different widths', async () => {
    expect(await refusal(...trainOn(await csv('empty.csv', ''), '-t', 'v'))).toContain('got an empty file')
    const ragged = await csv('ragged.csv', 'a,b\n1,2\n3\n')
    expect(await refusal(...trainOn(ragged, '-t', 'a'))).toContain(
      'ragged.csv: Invalid Record Length: expect 2, got 1',
    )
  })

  it('and leaves no file behind', async () => {
    const before = await readdir(folder)
    await refusal(
      'train',
      passengers,
      '-t',
      'Passengers',
      '-n',
      '60',
      '-o',
      join(folder, 'never.safetensors'),
    )
    expect(await readdir(folder)).toEqual(before)
  })
})

describe('lstm evaluate', () => {
  it('finds the scores of training again', async () => {
    const trained = await lstm(...trainOn(passengers, '-t', 'Passengers', '--json'))
    const other = join(folder, 'other.safetensors')
    const evaluated = await lstm('evaluate', other, passengers, '--json')
    expect(JSON.parse(evaluated.out).evaluations).toEqual(JSON.parse(trained.out).evaluations)
  })

  it('takes another share of the rows, and writes a report where asked', async () => {
    const report = join(folder, 'evaluation.html')
    const { code, out } = await lstm('evaluate', model, passengers, '--test', '0.5', '--report', report)
    expect(code).toBe(0)
    expect(out).toContain('67 forecasts of 6 rows, the first from 1955-01:')
    expect(await readFile(report, 'utf8')).toContain('Passengers, 6 months ahead')
  })

  it('refuses a series without the model’s column, or too short', async () => {
    const other = await csv('other.csv', 'Month,Cargo\n1949-01,1\n1949-02,2\n')
    expect(await refusal('evaluate', model, other)).toBe(
      'lstm: other.csv: no column "Passengers"; the columns are Month, Cargo',
    )
    const short = await csv('short.csv', `Month,Passengers\n1949-01,1\n1949-02,2\n`)
    expect(await refusal('evaluate', model, short)).toContain(
      'too few rows: the test part has 2, a window takes 18',
    )
  })
})

describe('lstm predict', () => {
  it('prints the rows after the last as CSV, quantiles in order', async () => {
    const { code, out } = await lstm('predict', model, passengers)
    const [header, ...rows] = out.trimEnd().split('\n')
    expect([code, header]).toEqual([0, 'Month,Passengers,q0.1,q0.5,q0.9'])
    expect(rows.map((row) => row.split(',')[0])).toEqual([
      '1961-01',
      '1961-02',
      '1961-03',
      '1961-04',
      '1961-05',
      '1961-06',
    ])
    for (const row of rows) {
      const [, point, low, middle, high] = row.split(',').map(Number)
      expect([point === middle, low <= middle, middle <= high]).toEqual([true, true, true])
    }
  })

  it('prints JSON, or writes a file', async () => {
    const { out } = await lstm('predict', model, passengers, '--json')
    expect(JSON.parse(out).forecast[5]).toMatchObject({ Month: '1961-06', Passengers: expect.any(Number) })
    const output = join(folder, 'forecast.csv')
    expect(await lstm('predict', model, passengers, '-o', output)).toEqual({ code: 0, out: '', error: '' })
    expect((await readFile(output, 'utf8')).split('\n')).toHaveLength(8)
  })

  it('refuses a series shorter than the model’s window, and a file that is no forecaster', async () => {
    const short = await csv('short.csv', 'Month,Passengers\n1949-01,1\n1949-02,2\n')
    expect(await refusal('predict', model, short)).toBe(
      'lstm: short.csv: too few rows: the model looks at 12, the file has 2',
    )
    const plain = join(folder, 'plain.safetensors')
    await writeFile(plain, encodeSafetensors(new Map([['w', { shape: [1], data: new Float32Array(1) }]])))
    expect(await refusal('predict', plain, passengers)).toContain('no forecaster: lstm train makes one')
    const damaged = join(folder, 'damaged.safetensors')
    await writeFile(damaged, encodeSafetensors([], { 'lstm_native.forecast': '{' }))
    expect(await refusal('predict', damaged, passengers)).toContain(
      'the metadata under lstm_native.forecast are no JSON',
    )
    expect(await refusal('predict', passengers, passengers)).toContain(`lstm: ${passengers}`)
  })
})

describe('lstm inspect', () => {
  it('shows layers, tensors, parameters, sizes and metadata', async () => {
    const { code, out } = await lstm('inspect', model)
    expect(code).toBe(0)
    expect(out).toContain(': 6 tensors, 202 parameters, 808 bytes\n')
    expect(out).toMatch(/^0 +LSTM 1 → 4 +112$/m)
    expect(out).toMatch(/^2 +Linear 4 → 18 +90$/m)
    expect(out).toMatch(/^0\.weight_hh_l0 +F32 +\[16, 4\] +64 +256 bytes$/m)
    expect(out).toMatch(/"targets": \[\s*"Passengers"\s*\]/)
  })

  it('knows modules of PyTorch by their shapes, and says what it does not know', async () => {
    const cases: [kind: string | RegExp, tensors: [string, number[]][]][] = [
      [
        'LSTM 3 → 5, without bias, 2 layers, bidirectional',
        [
          ['rnn.weight_ih_l0', [20, 3]],
          ['rnn.weight_hh_l0', [20, 5]],
          ['rnn.weight_ih_l0_reverse', [20, 3]],
          ['rnn.weight_ih_l1', [20, 10]],
        ],
      ],
      [
        'LSTM 3 → 8, projected to 2, without bias',
        [
          ['rnn.weight_ih_l0', [32, 3]],
          ['rnn.weight_hh_l0', [32, 2]],
          ['rnn.weight_hr_l0', [2, 8]],
        ],
      ],
      [
        /^unknown: .*GRU/,
        [
          ['rnn.weight_ih_l0', [15, 3]],
          ['rnn.weight_hh_l0', [15, 5]],
        ],
      ],
      ['Linear or Embedding, matrix 7 × 4', [['words.weight', [7, 4]]]],
      [
        'LayerNorm 6',
        [
          ['norm.weight', [6]],
          ['norm.bias', [6]],
        ],
      ],
      [/^unknown: /, [['odd.thing', [2, 2, 2]]]],
    ]
    for (const [kind, entries] of cases) {
      const path = join(folder, 'made.safetensors')
      await writeFile(path, encodeSafetensors(zeros(entries)))
      const { layers } = JSON.parse((await lstm('inspect', path, '--json')).out)
      expect(layers).toEqual([expect.objectContaining({ kind: expect.stringMatching(kind) })])
    }
  })

  it('proposes the layers of weights that tell none, with what it cannot know', async () => {
    const path = join(folder, 'state-dict.safetensors')
    const tensors = zeros([
      ['lstm.weight_ih_l0', [16, 3]],
      ['lstm.weight_hh_l0', [16, 4]],
      ['head.weight', [2, 4]],
      ['head.bias', [2]],
    ])
    await writeFile(path, encodeSafetensors(tensors))
    const { out } = await lstm('inspect', path)
    expect(out).toContain('\nproposed specification\n  ["lstm","head"]\n')
    expect(out).toMatch(/\nassumed\n {2}"head" is applied to every step; put .*LastStep/)
  })

  it('shows control characters in names of strangers as text', async () => {
    const path = join(folder, 'terminal.safetensors')
    await writeFile(path, encodeSafetensors(zeros([['a\u001b[2Jb.weight', [1]]])))
    const { out } = await lstm('inspect', path)
    expect(out).toContain('a\\x1b[2Jb.weight')
    expect(out).not.toContain('\u001b')
  })

  it('counts the bytes of half floats as they are in the file', async () => {
    const header = JSON.stringify({
      a: { dtype: 'F16', shape: [3], data_offsets: [0, 6] },
      b: { dtype: 'BOOL', shape: [2], data_offsets: [6, 8] },
    })
    const path = join(folder, 'half.safetensors')
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    await writeFile(path, Buffer.concat([length, Buffer.from(header), Buffer.alloc(8)]))
    const { bytes, tensors } = JSON.parse((await lstm('inspect', path, '--json')).out)
    expect([bytes, tensors.map((tensor: { bytes: number }) => tensor.bytes)]).toEqual([8, [6, 2]])
  })

  it('refuses what is no model file in one line', async () => {
    expect(await refusal('inspect', passengers)).toMatch(/^lstm: .*airline-passengers\.csv: /)
    expect(await refusal('inspect', join(folder, 'none.safetensors'))).toContain(
      'none.safetensors: cannot be read',
    )
  })
})

describe('lstm convert', () => {
  it('writes a model in the format that the new name tells, and says so', async () => {
    const { code, out, error } = await lstm('convert', model, join(folder, 'air.pytorch.safetensors'))
    expect([code, error]).toEqual([0, ''])
    expect(out).toBe(
      `${model} (safetensors) → ${join(folder, 'air.pytorch.safetensors')} (pytorch): 202 parameters\n`,
    )
  })

  it('reads weights alone by a specification, and says what it assumes without one', async () => {
    const [from, to] = [join(folder, 'air.pytorch.safetensors'), join(folder, 'back.safetensors')]
    await lstm('convert', model, from, '--force')
    const specification = join(folder, 'layers.json')
    await writeFile(specification, '["0", {"type": "LastStep"}, "2"]')
    expect((await lstm('convert', from, to, '--specification', specification)).code).toBe(0)
    const layers = async () => JSON.parse((await lstm('inspect', to, '--json')).out).layers
    expect(await layers()).toHaveLength(3)
    // A gap in the numbers of the layers is a question, not an assumption.
    expect(await refusal('convert', from, to, '--force')).toContain('what stands between')
    expect(await layers()).toHaveLength(3)
  })

  it('says which inputs of an ONNX file may be left out, and makes them required when asked to', async () => {
    const to = join(folder, 'air.onnx')
    const { code, error } = await lstm('convert', model, to)
    expect([code, error]).toEqual([
      0,
      '0.h0, 0.c0, lengths may be left out, but onnxruntime-node ignores what it is given for them; with --required-inputs it takes them\n',
    ])
    const optional = async () => (await loadOnnx(to)).inputs.map((input) => input.optional)
    expect(await optional()).toEqual([false, true, true, true])
    expect((await lstm('convert', model, to, '--required-inputs', '--force')).error).toBe('')
    expect(await optional()).toEqual([false, false, false, false])
    expect(await refusal('convert', model, join(folder, 'o.keras'), '--required-inputs')).toContain(
      'optionalInputs are for ONNX',
    )
  })

  it('refuses in one line what it cannot do', async () => {
    const out = join(folder, 'out.keras')
    const specification = join(folder, 'odd.json')
    const withSpecification = async (text: string) => {
      await writeFile(specification, text)
      return refusal(
        'convert',
        join(folder, 'air.pytorch.safetensors'),
        out,
        '--specification',
        specification,
      )
    }
    expect(await refusal('convert', model, model)).toContain(
      'is there already; force: true (--force) replaces it',
    )
    expect(await refusal('convert', model, 'model.txt')).toContain(
      'expected a name that ends in .safetensors',
    )
    expect(await refusal('convert', passengers, out)).toContain('is no model that can be read')
    expect(await refusal('convert', model)).toContain("missing required argument 'out'")
    expect(await refusal('convert', model, join(folder, 'o.onnx'), '--steps', '3')).toContain(
      'steps are for Keras',
    )
    expect(await withSpecification('{}')).toContain('expected an array of layers')
    expect(await withSpecification('[')).toContain('is not valid JSON')
    expect(await withSpecification('[7]')).toContain('odd.json: loadPyTorch: expected a prefix')
    expect(await withSpecification('["0", "1"]')).toContain('has no module "1"')
    expect(await readdir(folder)).not.toContain('out.keras')
  })
})

describe('lstm', () => {
  it('explains itself, with examples', async () => {
    const { code, out } = await lstm('--help')
    expect([
      code,
      ['train', 'evaluate', 'predict', 'inspect', 'convert'].filter((name) => !out.includes(`  ${name} `)),
    ]).toEqual([0, []])
    for (const name of ['train', 'evaluate', 'predict', 'inspect', 'convert']) {
      const help = await lstm(name, '--help')
      expect([help.code, help.error]).toEqual([0, ''])
      expect(help.out).toContain(`Examples:\n  lstm ${name} `)
    }
  })

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8'))
    expect(await lstm('--version')).toEqual({ code: 0, out: `${version}\n`, error: '' })
  })

  it('without a command shows the help on stderr and ends with code 2', async () => {
    const { code, out, error } = await lstm()
    expect([code, out]).toEqual([2, ''])
    expect(error).toContain('Usage: lstm')
  })
})

describe('the process', () => {
  it('ends with the exit code of the command', async () => {
    const child = start('inspect', 'no.safetensors')
    let error = ''
    child.stderr.on('data', (text) => (error += text))
    const [code] = await once(child, 'close')
    expect([code, error]).toEqual([2, expect.stringMatching(/^lstm: no\.safetensors: cannot be read.*\n$/)])
  })

  it('ends with code 1 and no model when it is interrupted before an epoch has ended', async () => {
    const output = join(folder, 'nothing.safetensors')
    const series = await csv(
      'long.csv',
      `v\n${Array.from({ length: 20_000 }, (_, t) => Math.sin(t)).join('\n')}\n`,
    )
    const child = start('train', series, '-t', 'v', '-n', '6', '-i', '200', '--hidden', '128', '-o', output)
    let error = ''
    let isStopped = false
    child.stderr.on('data', (text) => {
      error += text
      if (!isStopped && error.includes('windows of 200 rows')) isStopped = child.kill('SIGINT')
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(1)
    expect(error).toMatch(/\nlstm: interrupted before the first epoch ended; nothing was saved\n$/)
    expect(await readdir(folder)).not.toContain('nothing.safetensors')
  })

  it('keeps the best model so far when it is interrupted', async () => {
    const output = join(folder, 'interrupted.safetensors')
    const child = start(
      'train',
      passengers,
      '-t',
      'Passengers',
      '-n',
      '6',
      ...quick,
      '-e',
      '100000',
      '--patience',
      '100000',
      '-o',
      output,
      '--json',
    )
    let out = ''
    let error = ''
    let isStopped = false
    child.stdout.on('data', (text) => (out += text))
    child.stderr.on('data', (text) => {
      error += text
      if (!isStopped && error.includes('epoch 3/')) isStopped = child.kill('SIGINT')
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    expect(error).toContain('stopping; the best parameters so far are kept')
    const { interrupted, epochs, bestEpoch, evaluations } = JSON.parse(out)
    expect([interrupted, epochs.length >= 3]).toEqual([true, true])
    const losses = epochs.map(({ validationLoss }: { validationLoss: number }) => validationLoss)
    expect(losses[bestEpoch - 1]).toBe(Math.min(...losses))
    const again = await lstm('evaluate', output, passengers, '--json')
    expect(JSON.parse(again.out).evaluations).toEqual(evaluations)
  })
})
