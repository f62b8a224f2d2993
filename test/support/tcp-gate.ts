/** Stands between a client and a server on this machine, and lets tests hold up or cut what passes. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const PUMP_INTERVAL_MS = 10;

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
  #pump: NodeJS.Timeout | undefined;

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
    clearInterval(this.#pump);
    for (const { client, target } of this.#passages) target.pipe(client);
  }

  /** Passes on what the server sends at this pace only, until `releaseServer`. */
  slowServer(bytesPerSecond: number): void {
    this.holdServer();
    this.#pump = setInterval(() => {
      for (const { client, target } of this.#passages) {
        const bytes = Math.min(target.readableLength, Math.ceil((bytesPerSecond * PUMP_INTERVAL_MS) / 1000));
        const chunk: Buffer | null = bytes === 0 ? target.read(0) : target.read(bytes);
        if (chunk !== null) client.write(chunk);
      }
    }, PUMP_INTERVAL_MS);
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
    clearInterval(this.#pump);
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
