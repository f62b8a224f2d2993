/**
 * How the load generator tells the publishing process how many deliveries have arrived: one little-endian double, the
 * running total, every few ms on a loopback connection. It goes straight to the publishing process, not through the
 * benchmark, so that the loop is short and costs next to nothing.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

const REPORT_BYTES = 8;

export class ProgressSender {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static connect(port: number): Promise<ProgressSender> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        // The publishing process ends first at the end of a round.
        socket.on('error', () => undefined);
        resolve(new ProgressSender(socket));
      });
    });
  }

  /** `total`: deliveries since the start. */
  send(total: number): void {
    const report = Buffer.allocUnsafe(REPORT_BYTES);
    report.writeDoubleLE(total);
    this.#socket.write(report);
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** Listens for the reports; several generators' totals are added. */
export class ProgressReceiver {
  readonly #totals: number[] = [];
  #sum = 0;
  readonly #server: Server;
  readonly #onProgress: (total: number) => void;

  private constructor(server: Server, onProgress: (total: number) => void) {
    this.#server = server;
    this.#onProgress = onProgress;
    server.on('connection', socket => this.#take(socket));
  }

  static listen(onProgress: (total: number) => void): Promise<ProgressReceiver> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(new ProgressReceiver(server, onProgress)));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  #take(socket: Socket): void {
    const index = this.#totals.push(0) - 1;
    let held = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', chunk => {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const whole = bytes.length - (bytes.length % REPORT_BYTES);
      held = bytes.subarray(whole);
      if (whole === 0) return;
      const total = bytes.readDoubleLE(whole - REPORT_BYTES);
      this.#sum += total - (this.#totals[index] ?? 0);
      this.#totals[index] = total;
      this.#onProgress(this.#sum);
    });
  }
}
