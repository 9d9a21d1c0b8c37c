/** `lstm serve` as a process of its own, as an operator runs it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

export interface ServeProcess {
  process: ChildProcess
  port: number
  url: string
  /** The lines of its log so far. */
  log: Record<string, unknown>[]
  /** Sends a signal, waits for the end. @returns the exit code and signal */
  end(signal?: NodeJS.Signals): Promise<[number | null, NodeJS.Signals | null]>
  /** Waits for a line of the log. */
  logged(text: string): Promise<void>
  /** In MB. */
  residentMemory(): Promise<number>
}

/** Starts the command on a port that is free, and waits until it listens. */
export async function serveProcess(...args: string[]): Promise<ServeProcess> {
  const command = ['--import', 'tsx', 'lib/cli/main.ts', 'serve', '--port', '0', ...args]
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += chunk))
  const log: Record<string, unknown>[] = []
  createInterface({ input: child.stdout }).on('line', (line) => log.push(JSON.parse(line)))
  const logged = async (text: string): Promise<void> => {
    while (!log.some(({ msg }) => String(msg).includes(text))) {
      if (child.exitCode !== null) throw new Error(`lstm serve ended with ${child.exitCode}: ${errors}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  await logged('Server listening at')
  const url = String(log.find(({ msg }) => String(msg).startsWith('Server listening'))!.msg)
    .split(' ')
    .at(-1)!
  return {
    process: child,
    port: Number(new URL(url).port),
    url,
    log,
    logged,
    end: async (signal = 'SIGTERM') => {
      child.kill(signal)
      if (child.exitCode === null) await once(child, 'exit')
      return [child.exitCode, child.signalCode]
    },
    residentMemory: async () => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(/^process_resident_memory_bytes (.*)$/m.exec(text)![1]) / 2 ** 20
    },
  }
}
