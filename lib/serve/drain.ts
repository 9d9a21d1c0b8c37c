/** The end of a server: no new connections, every request that was accepted answered, then every connection closed. */
import type { Server as HttpServer } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'

/** ms for which a connection that is kept alive may bring a request that was on its way; its answer closes it. */
const grace = 1000
/** ms between two looks at who is left. */
const lookEvery = 20

export class Connections {
  readonly #server: HttpServer
  readonly #open = new Set<Socket>()

  constructor(server: HttpServer) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
    })
  }

  get count(): number {
    return this.#open.size
  }

  /**
   * Stops listening, and waits for the connections to end. Answers given meanwhile must say `Connection: close`.
   *
   * @param timeout in ms; what is left then is cut off
   * @param cut ends the waiting
   * @returns how many connections were cut off
   */
  async drain(timeout: number, cut: Promise<void>): Promise<number> {
    // Not http.Server's close, which cuts connections that are idle at this moment, and the request on its way with them.
    if (this.#server.listening) NetServer.prototype.close.call(this.#server)
    let isCut = false
    void cut.then(() => (isCut = true))
    const start = performance.now()
    while (this.#open.size > 0) {
      const passed = performance.now() - start
      if (isCut || passed >= timeout) break
      if (passed >= Math.min(grace, timeout / 2)) this.#closeIdle()
      await new Promise((resolve) => setTimeout(resolve, lookEvery))
    }
    const left = this.#open.size
    for (const socket of this.#open) socket.destroy()
    return left
  }

  #closeIdle(): void {
    this.#server.closeIdleConnections()
    // Those that have not begun a request are idle too.
    for (const socket of this.#open) if (socket.bytesRead === 0) socket.destroy()
  }
}
