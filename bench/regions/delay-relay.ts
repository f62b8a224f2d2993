/** Ports that lead to others by a longer way: what comes in goes out so much later, in each direction, in order. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** On the way in one direction of one connection; then its sender waits. Above what a way of some 100 ms holds at 1 Gbit/s. */
const ON_THE_WAY_BYTES_MAX = 16 * 1024 * 1024;

/** One direction of a connection. */
class DelayLine {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #delayMs: number;
  #chunks: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  #bytes = 0;
  #isPassing = false;

  constructor(from: Socket, to: Socket, delayMs: number) {
    this.#from = from;
    this.#to = to;
    this.#delayMs = delayMs;
    from.on('data', bytes => this.#take(bytes));
    from.on('error', () => {
      // Followed by 'close'.
    });
    from.once('close', () => to.destroy());
  }

  #take(bytes: Buffer): void {
    this.#chunks.push({ bytes, dueMs: performance.now() + this.#delayMs });
    this.#bytes += bytes.length;
    if (this.#bytes > ON_THE_WAY_BYTES_MAX) this.#from.pause();
    if (!this.#isPassing) setTimeout(() => this.#pass(), this.#delayMs);
    this.#isPassing = true;
  }

  #pass(): void {
    const now = performance.now();
    let passed = 0;
    for (const { bytes, dueMs } of this.#chunks) {
      if (dueMs > now) break;
      if (!this.#to.destroyed) this.#to.write(bytes);
      this.#bytes -= bytes.length;
      passed++;
    }
    this.#chunks = this.#chunks.slice(passed);
    if (this.#bytes <= ON_THE_WAY_BYTES_MAX) this.#from.resume();
    const [next] = this.#chunks;
    this.#isPassing = next !== undefined;
    if (next !== undefined) setTimeout(() => this.#pass(), Math.max(0, next.dueMs - now));
  }
}

/** @param port where it leads @param delayMs in each direction @returns its own port */
export async function openDelayRelay(port: number, delayMs: number): Promise<number> {
  const server: Server = createServer({ noDelay: true }, from => {
    const to = connect({ host: '127.0.0.1', port, noDelay: true });
    new DelayLine(from, to, delayMs);
    new DelayLine(to, from, delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
