/** The `lstm` command in this process, its output caught; or as a process of its own, where that matters. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { expect } from 'vitest'
import { run } from '../../lib/cli/program.ts'

export async function lstm(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  let out = ''
  let error = ''
  const terminal = {
    out: (text: string) => void (out += text),
    error: (text: string) => void (error += text),
    isInteractive: false,
  }
  const code = await run(argv, terminal)
  return { code, out, error }
}

/** The one line with which the command refuses. */
export async function refusal(...argv: string[]): Promise<string> {
  const { code, out, error } = await lstm(...argv)
  expect([code, out, error.match(/\n/g)?.length], error).toEqual([2, '', 1])
  return error.trimEnd()
}

export function startLstm(...argv: string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, ['--import', 'tsx', 'lib/cli/main.ts', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
