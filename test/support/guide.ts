/** The TypeScript of a guide: its blocks as programs, type-checked and run as they stand. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Guide {
  /** The files of its blocks. */
  files: readonly string[]
  /** What the compiler says about them. */
  problems(): string[]
  /** The lines that block n prints. */
  output(n: number): Promise<string[]>
}

/** @param folder where the programs are written, and run */
export async function readGuide(path: string, folder: string): Promise<Guide> {
  const text = await readFile(join(root, path), 'utf8')
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1])
  const files = blocks.map((_, n) => join(folder, `block-${n}.mts`))
  await Promise.all(blocks.map((block, n) => writeFile(files[n], block)))
  return {
    files,
    problems() {
      const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
      const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
      const typeRoots = [join(root, 'node_modules/@types')]
      const program = ts.createProgram(files, { ...options, typeRoots, noUnusedLocals: false })
      return ts
        .getPreEmitDiagnostics(program)
        .map(
          ({ messageText, file }) =>
            `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
        )
    },
    async output(n) {
      const argv = ['--import', import.meta.resolve('tsx'), files[n]]
      const env = { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') }
      const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: folder, env })
      return stdout.trimEnd().split('\n')
    },
  }
}
