/** Builds the roofline program where that is needed, runs it, and returns the machine's measured limits. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { buildFolder, buildProgram, compiler } from '../program.ts'

/** Limits by number of threads: `{ '1': ..., '2': ... }`. */
export type ByThreads = Record<string, number>

export interface Limits {
  /** Clock of one busy core, from a chain of additions. */
  gigahertz: number
  /** Bytes; L1 and L2 of one core. L3 is 0 where there is none. */
  caches: { L1: number; L2: number; L3: number }
  /** GFLOP/s of multiply-adds in registers, by target. `scalar` multiplies and adds one number at a time. */
  fma: Record<string, ByThreads>
  /**
   * GB/s, all threads together, when so many bytes are shared out over the threads and each reads its part again and
   * again: powers of two from well inside L1 to far beyond the last cache.
   */
  read: { bytes: number; rate: ByThreads }[]
}

interface Build {
  symbol: string
  lanes: number
  registers: number
  flags: string[]
}

const builds: Record<string, Build[]> = {
  x64: [
    { symbol: 'kScalar', lanes: 1, registers: 16, flags: [] },
    { symbol: 'kAvx2', lanes: 8, registers: 16, flags: ['-mavx2', '-mfma'] },
    { symbol: 'kAvx512', lanes: 16, registers: 32, flags: ['-mavx512f'] },
  ],
  arm64: [
    { symbol: 'kScalar', lanes: 1, registers: 32, flags: [] },
    { symbol: 'kNeon', lanes: 4, registers: 32, flags: [] },
  ],
}

// The loops are vectorised by their types alone, so that the scalar target stays scalar.
const flags = [
  '-std=c++17',
  '-O3',
  '-ffp-contract=fast',
  '-fno-tree-vectorize',
  '-fno-tree-slp-vectorize',
  '-Wno-psabi',
]

/**
 * Measures the limits with 1 thread and with `threads`; takes some ten seconds.
 *
 * @throws {Error} if there is no C++ compiler, or the architecture has no kernels here
 */
export function measureLimits({ threads }: { threads: number }): Limits {
  return JSON.parse(execFileSync(buildRoofline(), [String(threads)], { encoding: 'utf8' }))
}

function buildRoofline(): string {
  const targets = builds[process.arch]
  if (!targets)
    throw new Error(`roofline: expected one of ${Object.keys(builds).join(', ')}, got ${process.arch}`)
  const [main, kernels, header] = ['roofline.cc', 'kernels.cc', 'kernels.h'].map((name) =>
    join(import.meta.dirname, name),
  )
  return buildProgram({
    name: 'roofline',
    files: [main, kernels, header],
    recipe: [targets, flags],
    compile: (path) => {
      const objects = targets.map((target) => {
        const object = join(buildFolder, `${target.symbol}-${process.pid}.o`)
        const defines = [
          `-DKERNELS=${target.symbol}`,
          `-DLANES=${target.lanes}`,
          `-DREGISTERS=${target.registers}`,
        ]
        execFileSync(compiler(), [...flags, ...target.flags, ...defines, '-c', kernels, '-o', object])
        return object
      })
      execFileSync(compiler(), [...flags, main, ...objects, '-pthread', '-o', path])
    },
  })
}
