/**
 * The library as plain JavaScript in a temporary folder, for programs that measure memory: a TypeScript loader has a
 * thread and a heap of its own in their process. Types are stripped, not checked.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import ts from 'typescript'

const root = dirname(dirname(import.meta.dirname))

/** @returns the folder: `lib/` compiled, with the checkout's addon and packages beside it; to be removed by the caller */
export function compileLibrary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lstm-native-compiled-'))
  const { compilerOptions } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config
  const names = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  for (const name of names.filter((each) => each.endsWith('.ts'))) {
    const output = join(folder, 'lib', name.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(output), { recursive: true })
    const source = readFileSync(join(root, 'lib', name), 'utf8')
    const options = ts.convertCompilerOptionsFromJson({ ...compilerOptions, module: 'ES2022' }, root).options
    writeFileSync(output, ts.transpileModule(source, { compilerOptions: options }).outputText)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const name of ['build', 'node_modules']) symlinkSync(join(root, name), join(folder, name))
  return folder
}
