/** Readers of model files under changed files: see scripts/fuzz-formats.ts, and docs/security.md for what is promised. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileFormatError } from '../lib/errors.ts'
import { writeFileAtomically } from '../lib/formats/atomic.ts'
import { load } from '../lib/formats/checkpoint.ts'
import { encodeSafetensors } from '../lib/formats/safetensors/index.ts'
import { fuzz } from '../scripts/fuzz/fuzz.ts'
import { measure } from '../scripts/fuzz/measure.ts'
import type { Reader } from '../scripts/fuzz/reader.ts'
import { makeReaders } from '../scripts/fuzz/readers.ts'

const inputs = 20_000
const seed = 4

let made: Awaited<ReturnType<typeof makeReaders>>
beforeAll(async () => {
  made = await makeReaders()
})
afterAll(() => made.close())

describe('every reader', () => {
  it(`gives a typed error or a right model for ${inputs} changed files, each at once and in little memory`, async () => {
    const shares = made.readers.reduce((sum, { share }) => sum + share, 0)
    expect(shares).toBe(1000)
    let total = 0
    for (const reader of made.readers) {
      const report = await fuzz(reader, { inputs: (inputs * reader.share) / shares, seed })
      expect(report.broken?.reason, `${reader.name}, --seed ${seed} --path ${report.broken?.path}`).toBe(
        undefined,
      )
      // Some are refused and some are not, or nothing was tried.
      expect(report.codes.get('accepted'), reader.name).toBeGreaterThan(0)
      expect(report.codes.size, reader.name).toBeGreaterThan(2)
      total += report.inputs
    }
    expect(total).toBe(inputs)
  })

  it('reads its own samples, but for those of PyTorch that leave a question open and graphs that are no layers', async () => {
    for (const { samples, read } of made.readers) {
      for (const files of samples) {
        const { code, broken } = await measure(0, () => read(files))
        expect(broken).toBe(undefined)
        expect(['accepted', 'AmbiguousModel', 'NoStack']).toContain(code)
      }
    }
  })
})

describe('the fuzzer', () => {
  const files = new Map([['a', new Uint8Array(100)]])
  const reader = (read: () => unknown): Reader => ({
    name: 'a',
    share: 1,
    samples: [files],
    mutate: () => files,
    read,
  })

  it.each([
    ['an error of no type', () => (undefined as unknown as { a: number }).a, 'Cannot read properties'],
    [
      'memory out of proportion',
      () => {
        const array = new Uint8Array(200e6)
        if (array[7] !== 0) throw new Error('not zero')
      },
      'took 200 MB for 100 bytes',
    ],
  ])('finds %s and says how to come back to it', async (_, read, reason) => {
    const { broken, inputs } = await fuzz(reader(read), { inputs: 1, seed })
    expect(broken).toMatchObject({ reason: expect.stringContaining(reason), files })
    expect(broken!.path).toMatch(/^0/)
    expect(inputs).toBe(0)
  })

  it('counts what was refused by its code', async () => {
    const refuse = () => {
      throw new FileFormatError('a', { code: 'A' })
    }
    const { codes } = await fuzz(reader(refuse), { inputs: 10, seed })
    expect([...codes]).toEqual([['A', 10]])
  })
})

describe('a model file of this package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-formats-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([
    ['an LSTM', { type: 'LSTM', inputSize: 30_000, hiddenSize: 30_000 }],
    ['an Embedding', { type: 'Embedding', vocabularySize: 1e9, embeddingSize: 8 }],
    ['a Linear', { type: 'Linear', inputSize: 1e6, outputSize: 1e6 }],
    ['a Conv1d', { type: 'Conv1d', inputChannels: 1e5, outputChannels: 1e5, kernelSize: 3 }],
    ['many layers', { type: 'LSTM', inputSize: 1, hiddenSize: 1, numLayers: 1e9 }],
  ])('that says it is %s of gigabytes is refused before that is made', async (_, model) => {
    const path = join(folder, 'large.safetensors')
    const metadata = { 'lstm_native.config': JSON.stringify({ version: 1, model }) }
    const bytes = encodeSafetensors([['weight', { shape: [4], data: new Float32Array(4) }]], metadata)
    await writeFileAtomically(path, bytes)
    const { code, milliseconds, memory } = await measure(bytes.length, () => load(path))
    expect(code).toBe('InvalidConfig')
    expect(milliseconds).toBeLessThan(1000)
    expect(memory).toBeLessThan(64e6)
  })
})
