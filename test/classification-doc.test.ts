/** docs/classification.md: its TypeScript type-checks, runs, and shows what the text says. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Guide, readGuide } from './support/guide.ts'

let folder = ''
let guide: Guide

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'classification-'))
  guide = await readGuide('docs/classification.md', folder)
})

afterAll(() => rm(folder, { recursive: true }))

describe('docs/classification.md', () => {
  it('learns sentences and marks the words that decided', async () => {
    const lines = await guide.output(0)
    const losses = lines.slice(0, -2).map((line) => Number(line.split(' ')[1]))
    expect(losses).toHaveLength(4)
    expect(losses.at(-1)).toBeLessThan(0.1)
    const [good, bad] = lines.slice(-2)
    expect(good).toMatch(/^fresh: +a -?\d\.\d\d {2}warm \d/)
    expect(bad).toMatch(/^rotten: +loud -\d\.\d\d.*dull -\d\.\d\d$/)
  })

  it('finds the rare class more often where classes are weighed', async () => {
    const lines = await guide.output(1)
    const [plain, weighed] = lines.map((line) =>
      [...line.matchAll(/ (\d\.\d\d)/g)].map(([, each]) => Number(each)),
    )
    expect(lines[0]).toMatch(/^class weights 1,1: accuracy 0\.\d\d, recall \d\.\d\d, f1 \d\.\d\d$/)
    expect(plain[0]).toBeGreaterThanOrEqual(0.9)
    expect(weighed[1] - plain[1]).toBeGreaterThan(0.5)
    expect(weighed[2] - plain[2]).toBeGreaterThan(0.3)
  })

  it('explains by steps and features, with sums that come out', async () => {
    const [shapes, sums, hidden] = await guide.output(2)
    expect(shapes).toBe('steps [ 2, 12 ] features [ 2, 3 ]')
    const [sum, gap] = sums.split(' is ')
    expect(sum).toBe(gap)
    expect(Math.abs(Number(gap))).toBeLessThan(0.001)
    expect(hidden).toMatch(/^without its first feature the score would be -?\d\.\d{3}$/)
  })
})
