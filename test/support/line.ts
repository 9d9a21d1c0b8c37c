/** A line to a server that can be cut when it hurts most: after a command has arrived, before its reply has. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export class Line {
  readonly port: number
  readonly #server: Server
  readonly #open = new Set<Socket>()
  #match: string | undefined
  #isAlways = false
  /** Connections cut. */
  cuts = 0

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static async to(target: number): Promise<Line> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const line = new Line(server, (server.address() as { port: number }).port)
    server.on('connection', (near) => line.#join(near, connect(target, '127.0.0.1')))
    return line
  }

  /** Loses the reply to the next command that contains the text, or to all of them, and cuts the connection. */
  loseReply(match: string, { always = false } = {}): void {
    this.#match = match
    this.#isAlways = always
  }

  cutAll(): void {
    for (const socket of this.#open) socket.destroy()
  }

  async close(): Promise<void> {
    this.cutAll()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket, far: Socket): void {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      this.#open.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.#open.delete(one)
        other.destroy()
      })
    }
    let isLost = false
    near.on('data', (data) => {
      if (this.#match !== undefined && data.includes(this.#match)) {
        isLost = true
        if (!this.#isAlways) this.#match = undefined
      }
      far.write(data)
    })
    far.on('data', (data) => {
      if (!isLost) near.write(data)
      else if (!near.destroyed) {
        this.cuts++
        near.destroy()
      }
    })
  }
}
