/** A Redis of a test's own: a process, a port and a folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'

/** Why tests that need a Redis are left out; undefined where there is one. */
export const redisMissing: string | undefined = (() => {
  try {
    execFileSync('redis-server', ['--version'])
    return undefined
  } catch {
    return 'no redis-server on the PATH (apt-get install redis-server)'
  }
})()

/** Every write is on the disk before it is acknowledged. */
export const durable = ['--appendonly', 'yes', '--appendfsync', 'always']

export class RedisServer {
  readonly port: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'lstm-native-redis-'))
  readonly #settings: readonly string[]
  #process!: ChildProcess

  private constructor(port: number, settings: readonly string[]) {
    this.port = port
    this.#settings = settings
    // Where a test did not come to its end.
    process.on('exit', () => this.#process.kill('SIGKILL'))
  }

  static async start(settings: readonly string[] = ['--appendonly', 'no']): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), settings)
    await server.run()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/1`
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** Also again after `kill`, on the same port and files. */
  async run(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '']
    this.#process = spawn('redis-server', [...place, ...this.#settings], { stdio: 'ignore' })
    for (;;) {
      const answer = await this.command('PING').catch((error: Error) => error.message)
      if (answer === 'PONG') return
      if (this.#process.exitCode !== null) throw new Error(`redis-server ended: ${this.#process.exitCode}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async command(...args: (string | Buffer)[]): Promise<unknown> {
    const client = createClient({ url: this.url, RESP: 2, socket: { reconnectStrategy: false } })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.sendCommand(args)
    } finally {
      client.destroy()
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#process.kill(signal)
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, 'exit')
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
