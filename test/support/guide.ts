/** The TypeScript of a guide: its blocks as programs, type-checked and run as they stand. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Guide {
  text: string
  /** Its blocks, as the reader sees them. */
  blocks: readonly string[]
  /** Their programs. */
  files: readonly string[]
  /** The lines that the program of block n prints. */
  output(n: number): Promise<string[]>
  /** Runs all programs, one after the other. */
  run(): Promise<void>
}

/**
 * A block is a program. What it needs and what is expected of it may stand around it in comments that readers do not see:
 *
 *     <!-- before:          <!-- after:
 *     const x = 1           assert.equal(y, 2)
 *     -->                   -->
 *
 * @param folder where the programs are written, and run
 */
export async function readGuide(path: string, folder: string): Promise<Guide> {
  const text = await readFile(join(root, path), 'utf8')
  const hidden = (name: string) => `(?:^<!-- ${name}:\\n((?:(?!-->).)*?)^-->\\n\\n?)?`
  const pattern = new RegExp(`${hidden('before')}^\`\`\`ts\\n(.*?)^\`\`\`\\n\\n?${hidden('after')}`, 'gms')
  const parts = [...text.matchAll(pattern)].map(([, before = '', block, after]) => ({ before, block, after }))
  const files = parts.map((_, n) => join(folder, `block-${n}.mts`))
  const assert = "import assert from 'node:assert/strict'\n"
  await Promise.all(
    parts.map(({ before, block, after }, n) =>
      writeFile(files[n], after === undefined ? before + block : assert + before + block + after),
    ),
  )
  // tsx itself would see to the main thread alone.
  const everyThread = `import { register } from '${import.meta.resolve('tsx/esm/api')}'; register()`
  const node = async (...argv: string[]) => {
    const env = { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') }
    const loader = `data:text/javascript,${encodeURIComponent(everyThread)}`
    return promisify(execFile)(process.execPath, ['--import', loader, ...argv], { cwd: folder, env })
  }
  return {
    text,
    blocks: parts.map(({ block }) => block),
    files,
    async output(n) {
      const { stdout } = await node(files[n])
      return stdout.trimEnd().split('\n')
    },
    async run() {
      const all = join(folder, 'all.mts')
      await writeFile(all, files.map((file) => `await import('${file}')\n`).join(''))
      await node(all)
    },
  }
}

/** What the compiler says about programs; what they import is checked elsewhere. */
export function problemsOf(files: readonly string[]): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const typeRoots = [join(root, 'node_modules/@types')]
  const program = ts.createProgram(files, { ...options, typeRoots, noUnusedLocals: false })
  const sources = files.map((file) => program.getSourceFile(file)!)
  const found = sources.flatMap((source) => [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ])
  return found.map(({ messageText, file, start }) => {
    const line = file!.getLineAndCharacterOfPosition(start!).line + 1
    return `${file!.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}
