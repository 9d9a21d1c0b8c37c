/** The TypeScript of README and guides type-checks; that of the guides without a test of their own runs, and gives what it says. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Guide, problemsOf, readGuide } from './support/guide.ts'

/** How many blocks each has; those that other tests run are true. */
const guides: Record<string, { blocks: number; hasOwnTest?: boolean }> = {
  'README.md': { blocks: 5, hasOwnTest: true },
  'docs/classification.md': { blocks: 3, hasOwnTest: true },
  'docs/forecasting.md': { blocks: 3, hasOwnTest: true },
  'docs/recipes.md': { blocks: 1 },
  'docs/sensors-and-images.md': { blocks: 3 },
  'docs/sequence-to-sequence.md': { blocks: 3 },
  'docs/serving.md': { blocks: 3, hasOwnTest: true },
  'docs/speech.md': { blocks: 4 },
  'docs/text.md': { blocks: 6 },
  'docs/tuning.md': { blocks: 1, hasOwnTest: true },
}

const read = new Map<string, Guide>()
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guides-'))
  for (const name of Object.keys(guides)) {
    const own = join(folder, name.replace('/', '-'))
    await mkdir(own)
    read.set(name, await readGuide(name, own))
  }
})

afterAll(() => rm(folder, { recursive: true }))

describe('README and guides', () => {
  it('have the blocks that are known here, and no other guide has any', async () => {
    const docs = (await readdir('docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
    for (const name of docs.filter((name) => !(name in guides)))
      expect((await readGuide(name, folder)).blocks, name).toEqual([])
    const counts = Array.from(read, ([name, { blocks }]) => [name, blocks.length])
    expect(counts).toEqual(Object.entries(guides).map(([name, { blocks }]) => [name, blocks]))
  })

  it('have TypeScript that type-checks', () => {
    expect(problemsOf([...read.values()].flatMap(({ files }) => files))).toEqual([])
  })

  const run = Object.keys(guides).filter((name) => !guides[name].hasOwnTest)
  it.each(run)('have TypeScript that runs: %s', async (name) => {
    await expect(read.get(name)!.run()).resolves.toBeUndefined()
  })
})
