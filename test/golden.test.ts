/** What PyTorch computes, this package computes: small golden files on every back end of this machine. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { batchFirst, Comparison, type Golden, readGolden } from '../scripts/golden/case.ts'
import { check, listPrecisions } from '../scripts/golden/check.ts'

const folder = fileURLToPath(new URL('fixtures/golden', import.meta.url))
const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
const { precisions, withoutNative } = listPrecisions()

if (withoutNative) it.skip(`native targets: ${withoutNative}`)

describe.each(precisions)('on $name, golden case', (precision) => {
  it.each(files)('%s', async (file) => {
    const verdict = check(await readGolden(join(folder, file)), precision)
    expect(verdict, JSON.stringify(verdict)).toMatchObject({ passed: true })
  })
})

describe('the comparison itself', () => {
  /** The golden file with one number of one tensor moved by a millionth. */
  async function spoiled(file: string, tensor: string): Promise<Golden> {
    const golden = await readGolden(join(folder, file))
    const data = golden.get(tensor).data as Float64Array
    const magnitudes = Array.from(data, Math.abs)
    const largest = magnitudes.indexOf(Math.max(...magnitudes))
    data[largest] *= 1 + 1e-6
    return golden
  }

  it.each([
    ['tiny.safetensors', 'y'],
    ['tiny.safetensors', 'hn'],
    ['tiny.safetensors', 'cn'],
    ['tiny.safetensors', 'd.x'],
    ['tiny.safetensors', 'd.c0'],
    ['tiny.safetensors', 'd.bias_hh_l0'],
    ['projection_two_layers_bidirectional.safetensors', 'd.weight_hr_l1_reverse'],
    ['rmsprop.safetensors', 'loss'],
    ['rmsprop.safetensors', 'end.lstm.weight_hh_l0'],
    ['rmsprop.safetensors', 'x'],
    ['ctc.safetensors', 'loss'],
    ['ctc.safetensors', 'd.logits'],
    ['ctc.safetensors', 'logits'],
  ])('fails in float64 if %s has a wrong number in %s', async (file, tensor) => {
    const precision = precisions[0]
    expect(check(await spoiled(file, tensor), precision).passed).toBe(false)
  })

  it('counts NaN as an error and refuses a tensor of another size', () => {
    const comparison = new Comparison()
    const stored = { shape: [2], dataType: 'F64' as const, data: Float64Array.of(1, 2) }
    comparison.add('a', [1, Number.NaN], stored)
    comparison.add('b', [1, 2], stored)
    expect(comparison.worst).toEqual({ error: Number.NaN, tensor: 'a' })
    expect(() => comparison.add('c', [1], stored)).toThrow('c: expected 2 numbers, shape [2], got 1')
  })

  it('reads time-major tensors batch-first', () => {
    const stored = {
      shape: [3, 2, 2],
      dataType: 'F64' as const,
      data: Float64Array.from({ length: 12 }, (_, i) => i),
    }
    const { shape, data } = batchFirst(stored)
    expect(shape).toEqual([2, 3, 2])
    expect([...data]).toEqual([0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11])
  })
})
