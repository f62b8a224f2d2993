/** Stands between a client and a server on this machine, and lets tests hold up or cut what passes. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Passage {
  readonly client: Socket;
  readonly target: Socket;
}

export class TcpGate {
  readonly port: number;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #passages = new Set<Passage>();
  #isCut = false;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', client => this.#open(client));
  }

  static async open(targetPort: number): Promise<TcpGate> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpGate(server, targetPort);
  }

  /** What the present clients send from now on is not passed on; it is lost when the gate is cut. */
  holdClients(): void {
    for (const { client, target } of this.#passages) client.unpipe(target);
  }

  /** The same of what their server sends. */
  holdServer(): void {
    for (const { client, target } of this.#passages) target.unpipe(client);
  }

  /** Passes on what the server sent meanwhile. */
  releaseServer(): void {
    for (const { client, target } of this.#passages) target.pipe(client);
  }

  /** Ends every connection, and each new one at once. */
  cut(): void {
    this.#isCut = true;
    for (const { client, target } of this.#passages) {
      client.destroy();
      target.destroy();
    }
  }

  /** Lets new connections through again. */
  restore(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #open(client: Socket): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const passage: Passage = {
      client,
      target: connect({ host: '127.0.0.1', port: this.#targetPort, noDelay: true }),
    };
    this.#passages.add(passage);
    this.#join(passage, client, passage.target);
    this.#join(passage, passage.target, client);
  }

  #join(passage: Passage, from: Socket, to: Socket): void {
    from.pipe(to);
    from.once('close', () => {
      this.#passages.delete(passage);
      to.destroy();
    });
    from.on('error', () => {
      // Followed by 'close'.
    });
  }
}
