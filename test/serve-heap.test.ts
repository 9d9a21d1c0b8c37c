import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { heapGrowth } from '../lib/serve/heap.ts'

it('V8 knows the flag by which a server’s heap may grow: it passes over others in silence', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
  const [name] = heapGrowth.split('=')
  expect(known).toContain(`  ${name} (`)
  expect(known).not.toContain('  --heap-growing-percentage (')
})
