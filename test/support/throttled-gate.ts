/** Stands between a client and a server, and passes on what the server sends at the rate that tests set. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';

const PORTION_INTERVAL_MS = 20;

export class ThrottledGate {
  readonly port: number;
  /** Undefined: all that comes. */
  bytesPerSecond: number | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;
  readonly #targets = new Map<Socket, Socket>();

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', client => this.#open(client, targetPort));
    this.#timer = setInterval(() => this.#pass(), PORTION_INTERVAL_MS);
  }

  static async open(targetPort: number): Promise<ThrottledGate> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ThrottledGate(server, targetPort);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #open(client: Socket, targetPort: number): void {
    const target = new Socket();
    target.connect({ host: '127.0.0.1', port: targetPort, noDelay: true });
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on('error', () => {
        // Followed by 'close'.
      });
      socket.on('close', () => {
        client.destroy();
        target.destroy();
        this.#targets.delete(target);
      });
    }
    client.pipe(target);
    target.on('readable', () => {
      if (this.bytesPerSecond === undefined) this.#passAll(target, client);
    });
    this.#targets.set(target, client);
  }

  #passAll(target: Socket, client: Socket): void {
    for (let bytes = target.read(); bytes !== null; bytes = target.read()) client.write(bytes);
  }

  #pass(): void {
    for (const [target, client] of this.#targets) {
      if (this.bytesPerSecond === undefined) {
        this.#passAll(target, client);
        continue;
      }
      const portion = Math.min(target.readableLength, (this.bytesPerSecond * PORTION_INTERVAL_MS) / 1000);
      const bytes = portion > 0 ? target.read(Math.ceil(portion)) : null;
      if (bytes !== null) client.write(bytes);
    }
  }
}
