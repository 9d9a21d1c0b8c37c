/**
 * The plan of the house, checked: imports and includes point down only, and what is dangerous or heavy stays in the
 * one place made for it. Every rule is shown a file that breaks it, so that none passes by seeing nothing.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

type Files = ReadonlyMap<string, string>

/** The files under a folder with one of the endings: path from the root → text. */
function filesOf(folder: string, endings: RegExp): Files {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
    posix.join(folder, name.replaceAll('\\', '/')),
  )
  return new Map(
    names.filter((name) => endings.test(name)).map((name) => [name, readFileSync(join(root, name), 'utf8')]),
  )
}

const library = filesOf('lib', /\.ts$/)
const native = filesOf('native', /\.(cc|h)$/)

const parsed = new Map<string, string[]>()

/** What a TypeScript file loads when it runs: everything it imports but types. */
function importsOf(path: string, text: string): string[] {
  const key = `${path}\n${text}`
  const known = parsed.get(key)
  if (known) return known
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && !node.importClause?.isTypeOnly)
      found.push(textOf(node.moduleSpecifier))
    if (ts.isExportDeclaration(node) && node.moduleSpecifier && !node.isTypeOnly) {
      found.push(textOf(node.moduleSpecifier))
    }
    if (ts.isCallExpression(node)) {
      const { expression } = node
      const isRequire = ts.isIdentifier(expression) && expression.text === 'require'
      if (isRequire || expression.kind === ts.SyntaxKind.ImportKeyword) found.push(textOf(node.arguments[0]))
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest))
  const names = found.map((name) => (name.startsWith('.') ? posix.join(dirname(path), name) : name))
  parsed.set(key, names)
  return names
}

function textOf(node: ts.Expression): string {
  return ts.isStringLiteralLike(node) ? node.text : '(computed)'
}

/** From the top of the house to its ground. Files of one floor may import each other, if they do not go in circles. */
const floors: readonly RegExp[] = [
  /^lib\/(index\.ts|cli\/|serve\/)/,
  /^lib\/(audio|forecast|text)\//,
  /^lib\/report\//,
  /^lib\/(training|inference|formats|explanation)\//,
  /^lib\/layers\//,
  /^lib\/operations\//,
  /^lib\/tape\.ts$/,
  /^lib\/kernels\/index\.ts$/,
  /^lib\/kernels\//,
  /^lib\/(tensor|buffers)\.ts$/,
  /^lib\/(random|errors|edit-distance)\.ts$/,
]

function floorOf(path: string): number {
  return floors.findIndex((floor) => floor.test(path))
}

function upwardImports(files: Files): string[] {
  const wrong: string[] = []
  for (const [path, text] of files) {
    if (floorOf(path) < 0) wrong.push(`${path} stands on no floor of the house: give it one`)
    for (const target of importsOf(path, text)) {
      if (target.startsWith('lib/') && floorOf(target) < floorOf(path))
        wrong.push(`${path} imports ${target}, above it`)
    }
  }
  return wrong
}

function circularImports(files: Files): string[] {
  const done = new Set<string>()
  const wrong: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) wrong.push([...trail.slice(start), path].join(' → '))
    if (start >= 0 || done.has(path)) return
    for (const target of importsOf(path, files.get(path) ?? ''))
      if (files.has(target)) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of files.keys()) visit(path, [])
  return wrong
}

/** The packages that files import, Node's own left out. */
function foreignImports(files: Files): { path: string; name: string }[] {
  return [...files].flatMap(([path, text]) =>
    importsOf(path, text)
      .filter((name) => !name.startsWith('lib/') && !isBuiltin(name))
      .map((name) => ({ path, name })),
  )
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Every file that importing one of them loads. */
function reachable(start: string, files: Files, found = new Set<string>()): Set<string> {
  if (found.has(start)) return found
  found.add(start)
  for (const target of importsOf(start, files.get(start)!))
    if (files.has(target)) reachable(target, files, found)
  return found
}

/** Floors of the native code, likewise; what stands in no folder, or in that of kernels.h, serves all of them. */
const nativeFloors: readonly RegExp[] = [
  /^native\/addon\//,
  /^native\/(plan\/|dispatch\.)/,
  /^native\/targets\//,
  /^native\/(lstm|elementwise)\//,
  /^native\/gemm\//,
  /^native\/math\//,
  /^native\/simd\//,
  /^native\/([^/]+|kernels\/[^/]+)$/,
]

function includesOf(text: string): string[] {
  return [...text.matchAll(/^\s*#\s*include\s+["<]([^">]+)[">]/gm)].map((match) => match[1])
}

function upwardIncludes(files: Files): string[] {
  const floor = (path: string): number => nativeFloors.findIndex((pattern) => pattern.test(path))
  const wrong: string[] = []
  for (const [path, text] of files) {
    if (path.startsWith('native/test/')) continue
    if (floor(path) < 0) wrong.push(`${path} stands on no floor of the house: give it one`)
    for (const name of includesOf(text)) {
      const target = posix.join(dirname(path), name)
      if (files.has(target) && floor(target) < floor(path)) wrong.push(`${path} includes ${target}, above it`)
      if (target.startsWith('native/test/')) wrong.push(`${path} includes ${target}, a test`)
    }
  }
  return wrong
}

/** Files outside `home` whose text, comments left out, matches. */
function outside(files: Files, home: RegExp, pattern: RegExp): string[] {
  const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
  return [...files]
    .filter(([path, text]) => !home.test(path) && pattern.test(code(text)))
    .map(([path]) => path)
}

const napi = [/^native\/addon\//, /#\s*include\s+[<"](napi|node_api|js_native_api)\.h/] as const
const intrinsics = [
  /^native\/simd\//,
  /\b_mm\d*_\w+|\b__m(128|256|512)|\bv(ld|st)\dq?_\w+|\bv\w+q_[fsu]\d+|(immintrin|arm_neon|x86intrin)\.h/,
] as const
const blas = [/^native\/gemm\//, /\bcblas|\bopenblas_\w+\s*\(|\bsgemm_?\s*\(/] as const

describe('the TypeScript', () => {
  it('imports only what stands below', () => {
    expect(upwardImports(library)).toEqual([])
  })

  it('would be caught importing what stands above, or standing nowhere', () => {
    expect(
      upwardImports(
        new Map([
          ['lib/operations/linear.ts', "import { fit } from '../training/fit.ts'"],
          [
            'lib/layers/lstm.ts',
            "import type { Epoch } from '../training/fit.ts'\nimport '../operations/lstm.ts'",
          ],
          ['lib/tensor.ts', "export { record } from './tape.ts'"],
          ['lib/formats/checkpoint.ts', "const lazy = await import('../cli/main.ts')"],
          ['lib/attic/old.ts', ''],
        ]),
      ),
    ).toEqual([
      'lib/operations/linear.ts imports lib/training/fit.ts, above it',
      'lib/tensor.ts imports lib/tape.ts, above it',
      'lib/formats/checkpoint.ts imports lib/cli/main.ts, above it',
      'lib/attic/old.ts stands on no floor of the house: give it one',
    ])
  })

  it('does not import in circles', () => {
    expect(circularImports(library)).toEqual([])
  })

  it('would be caught in a circle', () => {
    const circle = new Map([
      ['lib/training/a.ts', "import './b.ts'"],
      ['lib/training/b.ts', "import '../formats/c.ts'"],
      ['lib/formats/c.ts', "import '../training/a.ts'"],
    ])
    expect(circularImports(circle)).toEqual([
      'lib/training/a.ts → lib/training/b.ts → lib/formats/c.ts → lib/training/a.ts',
    ])
  })

  it('needs no package but Node and the dependencies of package.json', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(foreignImports(library).filter(({ name }) => !(packageOf(name) in dependencies))).toEqual([])
  })

  it('loads the addon in one file', () => {
    const loaders = foreignImports(library).filter(({ name }) => name === 'node-gyp-build')
    expect(loaders.map(({ path }) => path)).toEqual(['lib/kernels/native.ts'])
  })

  it('brings nothing but the loader of the addon along with the core import', () => {
    const core = new Map([...reachable('lib/index.ts', library)].map((path) => [path, library.get(path)!]))
    expect([...core.keys()].length).toBeGreaterThan(20)
    expect(foreignImports(core).map(({ name }) => name)).toEqual(['node-gyp-build'])
    expect(
      [...core.keys()].filter((path) => /^lib\/(audio|cli|serve|forecast|report|text)\//.test(path)),
    ).toEqual([])
  })
})

describe('the native code', () => {
  it('includes only what stands below', () => {
    expect(native.size).toBeGreaterThan(10)
    expect(upwardIncludes(native)).toEqual([])
  })

  it('would be caught including what stands above, or a test', () => {
    const files = new Map([
      ['native/simd/avx2.h', '#include "../math/activations.h"\n#include "../arena.h"'],
      ['native/math/activations.h', '  #  include "../test/check.h"'],
      ['native/arena.h', ''],
      ['native/attic/old.h', ''],
    ])
    expect(upwardIncludes(files)).toEqual([
      'native/simd/avx2.h includes native/math/activations.h, above it',
      'native/math/activations.h includes native/test/check.h, a test',
      'native/attic/old.h stands on no floor of the house: give it one',
    ])
  })

  it.each([
    ['napi.h', napi, '#include <napi.h>'],
    ['intrinsics', intrinsics, 'sum = _mm256_fmadd_ps(a, b, sum);'],
    ['intrinsics of NEON', intrinsics, 'sum = vfmaq_f32(sum, a, b);'],
    ["intrinsics' headers", intrinsics, '#include <immintrin.h>'],
    ['a BLAS header', blas, '#include <cblas.h>'],
    ['a BLAS call', blas, 'cblas_sgemm(order, transpose);'],
  ])('keeps %s where it belongs, and would be caught elsewhere', (_, [home, pattern], offence) => {
    expect(outside(native, home, pattern)).toEqual([])
    const elsewhere = new Map([
      ['native/lstm/forward.h', `// a comment\n${offence}`],
      ['native/lstm/pointwise.h', `// ${offence}`],
    ])
    expect(outside(elsewhere, home, pattern)).toEqual(['native/lstm/forward.h'])
  })
})

/** A file of 300 lines is worth a thought; one of 500 holds two things. */
const longest = 500

function longFiles(files: Files): string[] {
  return [...files].filter(([, text]) => text.split('\n').length > longest).map(([path]) => path)
}

describe('a file', () => {
  it(`has at most ${longest} lines, and would be caught with more`, () => {
    expect([...longFiles(library), ...longFiles(native)]).toEqual([])
    expect(longFiles(new Map([['lib/everything.ts', '\n'.repeat(longest)]]))).toEqual(['lib/everything.ts'])
  })
})
