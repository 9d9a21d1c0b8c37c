/**
 * The parts of the bench that only compute: counts, statistics, tables, arguments, comparison and judgement.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseArguments } from '../bench/arguments.ts'
import { type Case, cases, casesMatching, identity } from '../bench/cases.ts'
import { largestDifference, tolerances } from '../bench/compare.ts'
import type { CaseResult, Measurement } from '../bench/measure.ts'
import { drawTensors, swapAxes } from '../bench/problem.ts'
import type { Limits } from '../bench/roofline/roofline.ts'
import { flops, geometricMean, leastTime, lengthsOf, levelOf, median, readRate } from '../bench/statistics.ts'
import { formatSeconds, formatTable } from '../bench/table.ts'
import { checkTargets, type Targets, targetRuns } from '../bench/targets.ts'

const targets: Targets = JSON.parse(readFileSync(new URL('../bench/targets.json', import.meta.url), 'utf8'))

/**
 * A machine of round numbers: 100 GFLOP/s a thread; 200, 100, 50 and 10 GB/s out of L1, L2, L3 and memory.
 */
const limits: Limits = {
  gigahertz: 3,
  caches: { L1: 32 << 10, L2: 1 << 20, L3: 32 << 20 },
  fma: { scalar: { 1: 10, 2: 20 }, avx2: { 1: 100, 2: 200 } },
  read: [
    { bytes: 32 << 10, rate: { 1: 200, 2: 400 } },
    { bytes: 512 << 10, rate: { 1: 100, 2: 200 } },
    { bytes: 1 << 20, rate: { 1: 80, 2: 200 } },
    { bytes: 32 << 20, rate: { 1: 50, 2: 100 } },
    { bytes: 64 << 20, rate: { 1: 10, 2: 15 } },
  ],
}

function find(words: string): Case {
  const found = casesMatching(words)
  expect(found).toHaveLength(1)
  return found[0]
}

describe('the table of cases', () => {
  it('names every case once', () => {
    expect(new Set(cases.map(identity)).size).toBe(cases.length)
  })

  it('finds a case by whole words, so that B1 does not find B16', () => {
    expect(find('b1 h512 inference').name).toBe('B1 T25 I512 H512')
    expect(casesMatching('B1 H9999')).toEqual([])
    expect(casesMatching(undefined)).toHaveLength(cases.length)
  })

  it('draws the same numbers every time, weights within 1/√H', () => {
    const one = find('B64 T30 training')
    const [a, b] = [drawTensors(one), drawTensors(one)]
    expect(a).toEqual(b)
    expect(Object.keys(a)).toEqual([
      'weight_ih_l0',
      'weight_hh_l0',
      'bias_ih_l0',
      'bias_hh_l0',
      'x',
      'h0',
      'c0',
      'dy',
    ])
    const largest = Math.max(...a.weight_hh_l0.data.map(Math.abs))
    expect(largest).toBeGreaterThan(0.17)
    expect(largest).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(32)))
  })
})

describe('counting', () => {
  it('counts 8·H·(I + H) operations a step forward and three times that in training', () => {
    expect(flops(find('B16 T50 inference'))).toBe(8 * 256 * 512 * 16 * 50)
    expect(flops(find('B16 T50 training'))).toBe(3 * 8 * 256 * 512 * 16 * 50)
  })

  it('leaves padded steps out and gives the second layer both directions as input', () => {
    const one = find('lengths inference')
    const steps = lengthsOf(one).reduce((sum, length) => sum + length, 0)
    expect(flops(one)).toBe(steps * 2 * 8 * 128 * (64 + 128 + 256 + 128))
  })

  it('counts the linear layer of a model, forward and backward', () => {
    const perToken = 2 * 8 * 256 * 512 + 2 * 256 * 65
    expect(flops(find('character model'))).toBe(3 * perToken * 32 * 128)
  })

  it('spreads lengths from the shortest to T, each as often as evenly spaced numbers are', () => {
    const lengths = lengthsOf(find('lengths inference'))
    expect(lengths).toHaveLength(32)
    expect(Math.min(...lengths)).toBe(10)
    expect(Math.max(...lengths)).toBe(100)
    const sum = lengths.reduce((total, length) => total + length, 0)
    expect(Math.abs(sum / 32 - 55)).toBeLessThan(0.5)
    expect(lengths).not.toEqual([...lengths].sort((a, b) => a - b))
  })

  it('takes the median of an even count between the middle two, and refuses none', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([10, 1, 3])).toBe(3)
    expect(() => median([])).toThrow(RangeError)
    expect(geometricMean([1, 4])).toBeCloseTo(2, 12)
  })
})

describe('the least time that the limits allow', () => {
  it('is the operations at the peak where a batch is large', () => {
    const one = find('B64 T50 inference')
    expect(leastTime(one, limits, { threads: 1, target: 'avx2' })).toEqual({
      seconds: expect.closeTo(flops(one) / 100e9, 12),
      limit: 'fma',
    })
  })

  it('is the reading of W_hh at every step where one sequence runs alone', () => {
    const one = find('B1 T25 H1024 inference')
    const products = (8 * 1024 * 1024 * 25) / 100e9
    const reading = (25 * 16 * 1024 * 1024) / 50e9
    const { seconds, limit } = leastTime(one, limits, { threads: 1, target: 'avx2' })
    expect(limit).toBe('L3')
    expect(seconds).toBeCloseTo(products + reading, 9)
  })

  it('takes the bandwidth measured for the size, or the next larger one', () => {
    expect(readRate(20 << 10, limits, 1)).toBe(200e9)
    expect(readRate(1 << 20, limits, 1)).toBe(80e9)
    expect(readRate(1 << 20, limits, 2)).toBe(200e9)
    expect(readRate(1 << 30, limits, 2)).toBe(15e9)
  })

  it('names the level, the cores’ own caches shared out', () => {
    expect(levelOf(2 << 20, limits, 1)).toBe('L3')
    expect(levelOf(2 << 20, limits, 2)).toBe('L2')
    expect(levelOf(20 << 10, limits, 1)).toBe('L1')
    expect(levelOf(64 << 20, limits, 2)).toBe('memory')
  })
})

describe('comparing contenders', () => {
  const named = (values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) })

  it('measures the difference by the largest magnitude and reports the tensor that is worst for its tolerance', () => {
    const theirs = { output: named([1, 2]), dx: named([1, 4]) }
    const worst = largestDifference({ output: named([1, 2.0004]), dx: named([1, 4.002]) }, theirs)
    // 10 times what is allowed in the output, 2.5 times in dx, whose difference is the larger one.
    expect(worst).toEqual({ tensor: 'output', error: expect.closeTo(2e-4, 6), tolerance: tolerances.output })
  })

  it('never takes NaN for agreement', () => {
    const { error, tolerance } = largestDifference(
      { output: named([Number.NaN, 1]) },
      { output: named([1, 1]) },
    )
    expect(error <= tolerance).toBe(false)
  })

  it('refuses to compare nothing, or tensors of different sizes', () => {
    expect(() => largestDifference({ dx: named([1]) }, { output: named([1]) })).toThrow('no result in common')
    expect(() => largestDifference({ dx: named([1]) }, { dx: named([1, 2]) })).toThrow(
      'dx: expected 1 elements, got 2',
    )
  })

  it('turns batch-first into time-first', () => {
    const data = Float32Array.from([0, 1, 2, 3, 4, 5])
    expect(swapAxes({ shape: [3, 2, 1], data })).toEqual({
      shape: [2, 3, 1],
      data: Float32Array.from([0, 2, 4, 1, 3, 5]),
    })
  })
})

describe('the command line', () => {
  it('reads options and has defaults', () => {
    const args = parseArguments([
      '--threads',
      '2',
      '--contenders',
      'native,pytorch',
      '--case',
      'B16 training',
    ])
    expect(args).toMatchObject({
      threads: 2,
      contenders: ['native', 'pytorch'],
      case: 'B16 training',
      seconds: 2,
    })
  })

  it.each([
    [['--threads', '0'], '--threads: expected a positive number, got "0"'],
    [['--rounds', '1.5'], '--rounds: expected a whole number, got "1.5"'],
    [['--contenders', 'torch'], 'got "torch"'],
    [['--check', 'targets.json', '--threads', '2'], 'leave --threads out'],
    [['--colour'], "'--colour'"],
  ])('refuses %j', (args, message) => {
    expect(() => parseArguments(args)).toThrow(message)
  })
})

describe('tables', () => {
  it('aligns the first column left and the others right', () => {
    expect(
      formatTable(
        ['', 'time'],
        [
          ['native', '1 ms'],
          ['x', '10 ms'],
        ],
      ),
    ).toBe(['         time', '------  -----', 'native   1 ms', 'x       10 ms'].join('\n'))
  })

  it('writes three significant digits with a unit', () => {
    const written = [2.5, 0.01234, 4.56e-5, 7.8e-8].map(formatSeconds)
    expect(written).toEqual(['2.50 s', '12.3 ms', '45.6 us', '78.0 ns'])
  })
})

describe('the check against targets', () => {
  const measurement = (contender: string, seconds: number): Measurement => ({
    contender,
    description: contender,
    median: seconds,
    minimum: seconds,
    samples: [seconds],
    memory: { imported: 100 << 20, peak: 150 << 20 },
  })
  const result = (words: string, threads: number, times: Record<string, number>): CaseResult => ({
    case: find(words),
    threads,
    measurements: Object.entries(times).map(([name, seconds]) => measurement(name, seconds)),
    remarks: [],
  })
  const only = (part: Partial<Targets>): Targets => ({
    ratios: [],
    shares: [],
    times: [],
    memory: [],
    ...part,
  })
  const table = {
    name: 'inference',
    mode: 'inference',
    peers: ['onnxruntime-node', 'pytorch'],
    rows: [
      { case: 'B1 T1 I256 H256', asked: { 1: 2 } },
      { case: 'B1 T50 I128 H128', asked: { 1: 1.4 } },
    ],
    geometricMean: { 1: 1.9 },
  } as const

  it('asks for rows with 1 and with 2 threads, each once, all of them known', () => {
    const runs = targetRuns(targets, cases)
    const keys = runs.map(({ case: one, threads }) => `${identity(one)} ${threads}`)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys).toContain('B64 T25 I1024 H1024 training 2')
  })

  it('names a case that does not exist', () => {
    const wrong = only({ times: [{ case: 'B3', mode: 'inference', threads: 1, seconds: 1 }] })
    expect(() => targetRuns(wrong, cases)).toThrow('"B3 inference"')
  })

  it('divides the faster peer by ours and takes the geometric mean', () => {
    const results = [
      result('B1 T1 H256', 1, { native: 1, 'onnxruntime-node': 3, pytorch: 2 }),
      result('B1 T50 H128', 1, { native: 1, 'onnxruntime-node': 2, pytorch: 4 }),
    ]
    const { short, text } = checkTargets(only({ ratios: [table] }), results, limits)
    expect(short).toEqual([])
    expect(text).toMatch(/geometric mean +1 +2\.00 +1\.90 +met/)
  })

  it('names the rows that fall short, the mean among them', () => {
    const results = [
      result('B1 T1 H256', 1, { native: 1, 'onnxruntime-node': 3, pytorch: 1.9 }),
      result('B1 T50 H128', 1, { native: 1, 'onnxruntime-node': 1.5, pytorch: 4 }),
    ]
    expect(checkTargets(only({ ratios: [table] }), results, limits).short).toEqual([
      'B1 T1 I256 H256 inference, 1 thread: 1.90, asked 2.00',
      'geometric mean of inference, 1 thread: 1.69, asked 1.90',
    ])
  })

  it('does not pass a row whose peer is missing', () => {
    const results = [result('B1 T1 H256', 1, { native: 1, 'onnxruntime-node': 3 })]
    const { short } = checkTargets(only({ ratios: [table] }), results, limits)
    expect(short).toEqual(['B1 T1 I256 H256 inference, 1 thread: pytorch not measured'])
  })

  it('judges shares of the limits, times and memory', () => {
    const words = 'B64 T50 inference'
    const best = flops(find(words)) / 100e9
    const row = { case: 'B64 T50 I512 H512', mode: 'inference', threads: 1 } as const
    const asked = only({
      shares: [
        { ...row, asked: { fma: 0.85 } },
        { ...row, asked: { fma: 0.1 }, contender: 'scalar' },
      ],
      times: [{ ...row, seconds: best }],
      memory: [{ ...row, peer: 'pytorch' }],
    })
    const { short } = checkTargets(
      asked,
      [result(words, 1, { native: best / 0.8, pytorch: 1, scalar: best / 0.08 })],
      limits,
    )
    expect(short).toEqual([
      'B64 T50 I512 H512 inference, 1 thread: 80 % of fma, asked 85 %',
      expect.stringContaining('asked at most'),
      'B64 T50 I512 H512 inference, 1 thread: 150 MB, asked at most the 50 MB pytorch grew by',
    ])
  })
})
