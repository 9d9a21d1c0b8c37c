/** A TensorFlow.js model in place of another: whatever fails, and wherever a process ends, one of the two is there. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { writeFileAtomically } from '../lib/formats/atomic.ts'
import { encodeTfjs, loadTfjs, saveTfjs } from '../lib/formats/tfjs/index.ts'
import { FileFormatError, Linear, Sequential, tensor } from '../lib/index.ts'
import { run } from './support/keras.ts'

vi.mock('../lib/formats/atomic.ts', async (original) => {
  const atomic = await original<typeof import('../lib/formats/atomic.ts')>()
  return { writeFileAtomically: vi.fn(atomic.writeFileAtomically) }
})

let folder: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lstm-native-tfjs-replacing-'))
  await saveTfjs(modelOf(1), folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

const modelOf = (seed: number) => new Sequential([new Linear({ inputSize: 2, outputSize: 3, seed })])
const filesOf = (seed: number) => [...encodeTfjs(modelOf(seed)).keys()].sort()
const output = async (path = folder) => run(await loadTfjs(path), tensor([[1, 2]])).data
const expected = (seed: number) => run(modelOf(seed), tensor([[1, 2]])).data

describe('saveTfjs over a model', () => {
  it('leaves the new one alone, and what is no shard of the old one', async () => {
    const others = ['notes.txt', 'group1-shard1of1.bin']
    for (const name of others) writeFileSync(join(folder, name), 'not of the model')
    await saveTfjs(modelOf(2), folder)
    expect(await output()).toEqual(expected(2))
    expect(readdirSync(folder).sort()).toEqual([...filesOf(2), ...others].sort())
  })

  it('of the same weights keeps their shard', async () => {
    await saveTfjs(modelOf(1), folder)
    expect(readdirSync(folder).sort()).toEqual(filesOf(1))
    expect(await output()).toEqual(expected(1))
  })

  it('replaces what is no model at all', async () => {
    writeFileSync(join(folder, 'model.json'), '{"weightsManifest": 7}')
    await saveTfjs(modelOf(2), folder)
    expect(await output()).toEqual(expected(2))
  })

  it.each(['group1-', 'model.json'])('leaves the old one where %s cannot be written', async (start) => {
    const { writeFileAtomically: write } =
      await vi.importActual<typeof import('../lib/formats/atomic.ts')>('../lib/formats/atomic.ts')
    const full = new FileFormatError('no space left', { code: 'ENOSPC' })
    vi.mocked(writeFileAtomically).mockImplementation((path, content) =>
      basename(path).startsWith(start) ? Promise.reject(full) : write(path, content),
    )
    await expect(saveTfjs(modelOf(2), folder)).rejects.toBe(full)
    vi.mocked(writeFileAtomically).mockImplementation(write)
    expect(await output()).toEqual(expected(1))
    expect(readdirSync(folder).sort()).toEqual(filesOf(1))
  })

  it('may end between any two of its steps', async () => {
    const other = mkdtempSync(join(tmpdir(), 'lstm-native-tfjs-other-'))
    await saveTfjs(modelOf(2), other)
    for (const [name, seed] of [...encodeTfjs(modelOf(2)).keys()].map((each, i) => [each, i + 1] as const)) {
      copyFileSync(join(other, name), join(folder, name))
      expect(await output()).toEqual(expected(seed))
    }
    rmSync(other, { recursive: true })
  })
})
