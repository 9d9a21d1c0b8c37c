/** What the recipe of characters refuses to learn from, before training starts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { recipe } from '../examples/characters/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-characters-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.each([
  [
    'a text cut off',
    'To be, or not to be.\n'.repeat(4000),
    /expected 1115394 characters, got 84000; bring the whole/,
  ],
  ['another encoding', Uint8Array.of(0x54, 0x6f, 0xe9, 0x20), /byte 2: expected text in UTF-8, got 0xE9/],
  ['no text', '', /expected texts with at least one token, got none/],
])('%s', async (_, content, message) => {
  const path = join(folder, 'text.txt')
  writeFileSync(path, content)
  const logged: string[] = []
  const context = {
    quick: false,
    seeds: [1],
    options: {},
    path: () => path,
    log: (line: string) => logged.push(line),
    signal: new AbortController().signal,
  }
  await expect(recipe.run(context)).rejects.toThrow(message)
  expect(logged).toEqual([])
})
