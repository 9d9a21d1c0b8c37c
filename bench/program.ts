/** C++ programs of the bench: compiled where they are first needed, again when their sources change. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'

/** What is compiled on the way lies here too. */
export const buildFolder = join(import.meta.dirname, 'build')

export interface Program {
  name: string
  /** Paths of all files that it is made of, headers too. */
  files: readonly string[]
  /** What else it depends on: flags, say. */
  recipe: unknown
  /** Compiles it into `path`. */
  compile(path: string): void
}

/** The path of the program, compiled anew if its files or its recipe changed. */
export function buildProgram({ name, files, recipe, compile }: Program): string {
  const hash = createHash('sha256').update(JSON.stringify(recipe))
  for (const file of files) hash.update(readFileSync(file))
  const program = join(buildFolder, `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  mkdirSync(buildFolder, { recursive: true })
  const unfinished = `${program}-${process.pid}`
  compile(unfinished)
  renameSync(unfinished, program)
  return program
}

/** The C++ compiler: what CXX names, or c++. */
export function compiler(): string {
  return process.env.CXX ?? 'c++'
}
