/** What a Dockerfile says, and what its stages hold, without Docker: copies are made, commands run as a build would run them. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Instruction {
  name: string
  text: string
}

export interface Stage {
  image: string
  alias: string | undefined
  instructions: Instruction[]
}

/** @throws {Error} at what stands before the first FROM, which these files need not have */
export function stagesOf(text: string): Stage[] {
  const stages: Stage[] = []
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
  for (const line of lines.map((each) => each.trim()).filter(Boolean)) {
    const [, name, rest] = /^(\S+)\s+(.*)$/.exec(line)!
    if (name === 'FROM') {
      const [image, , alias] = rest.split(/\s+/)
      stages.push({ image, alias, instructions: [] })
    } else if (stages.length === 0) throw new Error(`expected FROM first, got ${line}`)
    else stages.at(-1)!.instructions.push({ name, text: rest })
  }
  return stages
}

export function all(stage: Stage, name: string): string[] {
  return stage.instructions.filter((each) => each.name === name).map(({ text }) => text)
}

/** The words of an instruction in exec form. @throws {SyntaxError} if it is in shell form */
export function exec(stage: Stage, name: string): string[] {
  return JSON.parse(
    all(stage, name)
      .at(-1)!
      .replace(/^.*?CMD /, ''),
  )
}

export interface Copy {
  from: string | undefined
  sources: string[]
  target: string
}

export function copyOf(text: string): Copy {
  const words = text.split(/\s+/)
  const from = /^--from=(.+)$/.exec(words[0])?.[1]
  if (from) words.shift()
  return { from, sources: words.slice(0, -1), target: words.at(-1)! }
}

/**
 * Builds the stages as folders.
 *
 * @param context the build's context
 * @param folder the stages' file systems come into folders of it, by alias or number
 * @param stands what takes the place of commands that need a network or long: the beginning of a command → what to do in its folder
 * @returns the file system of the last stage
 */
export async function buildStages(
  stages: readonly Stage[],
  {
    context,
    folder,
    stands,
  }: { context: string; folder: string; stands: Record<string, (cwd: string) => void> },
): Promise<string> {
  const rootOf = (name: string | number) => join(folder, String(name))
  let root = ''
  for (const [n, { alias, instructions }] of stages.entries()) {
    root = rootOf(alias ?? n)
    let cwd = root
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true })
    for (const { name, text } of instructions) {
      if (name === 'WORKDIR') mkdirSync((cwd = join(root, text)), { recursive: true })
      if (name === 'COPY') {
        const { from, sources, target } = copyOf(text)
        for (const source of sources) {
          copy(
            join(from ? rootOf(from) : context, source),
            target.startsWith('/') ? join(root, target) : join(cwd, target),
          )
        }
      }
      if (name !== 'RUN') continue
      for (const command of text.split(/\s*&&\s*/)) {
        const stand = Object.keys(stands).find((start) => command.startsWith(start))
        if (stand) stands[stand](cwd)
        else await run('sh', ['-c', command.replace(/(?<=\s)\/(?=\w)/g, `${root}/`)], { cwd })
      }
    }
  }
  return root
}

/** As COPY does: a folder's contents, a file under its name where the target is a folder. @throws {Error} if there is no source */
function copy(source: string, target: string): void {
  if (!existsSync(source)) throw new Error(`COPY: expected ${source} to exist`)
  const isInto = statSync(source).isFile() && target.endsWith('/')
  cpSync(source, isInto ? join(target, basename(source)) : target, {
    recursive: true,
    verbatimSymlinks: true,
  })
}
