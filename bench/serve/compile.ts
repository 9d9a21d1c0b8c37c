/**
 * What is measured runs as plain JavaScript made by tsc, as from the package: the loader that runs the bench's own TypeScript
 * wraps functions, which costs in hot ones.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const output = join(root, 'out', 'bench')

/** Compiles the package and the processes that bench:serve starts. */
export function compile(): void {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  execFileSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', import.meta.dirname], {
    stdio: 'inherit',
  })
  // What the package looks for beside its own code.
  for (const name of ['build', 'package.json']) {
    if (!existsSync(join(output, name))) symlinkSync(join(root, name), join(output, name))
  }
}

/** The compiled form of a source, by its path from the root. */
export function compiled(source: string): string {
  return join(output, source.replace(/\.ts$/, '.js'))
}
