/** Python scripts that print a JSON line for each thing they have checked. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface Result {
  name: string
  error?: number
  failure?: string
}

/**
 * @param python its command
 * @param report called for each line
 * @param expected how many lines there must be
 * @throws {Error} if Python cannot be run, or ends before it is through
 */
export async function runPython(
  python: string,
  [script, ...args]: readonly string[],
  { report, expected }: { report: (result: Result) => void; expected: number },
): Promise<void> {
  const child = spawn(python, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (cause) => reject(new Error(`${python} cannot be run: ${cause.message}`, { cause })))
    child.on('close', resolve)
  })
  let count = 0
  for await (const line of createInterface({ input: child.stdout })) {
    // Libraries print what they like.
    if (!line.startsWith('{"name"')) continue
    report(JSON.parse(line))
    count++
  }
  const code = await ended
  if (code !== 0 || count < expected)
    throw new Error(`${python} ended with ${code} after ${count} of ${expected} checks`)
}
