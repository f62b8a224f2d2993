/** Institutional clients that come while others are served: whether each is let in, and how long its first snapshot takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LatencyHistogram, type LatencyReport } from '../load/latency-histogram.js';
import { LoadSocket, type LoadSocketContext } from '../load/load-socket.js';
import { Tally } from '../load/tally.js';

const INTERVAL_MS = 250;
/** A newcomer that waits longer is not served. */
const SERVED_WITHIN_MS = 5000;
const POLL_MS = 20;
const READ_BUFFER_BYTES = 64 * 1024;
const LOCAL_ADDRESS = '127.0.0.2';

export interface NewcomersReport {
  readonly came: number;
  /** Refused, closed, or without a snapshot within five seconds. */
  readonly notServed: number;
  /** Why the first of them was not; '' where all were. */
  readonly firstFailure: string;
  /** From the connect to the first frame. */
  readonly served: LatencyReport;
}

export class Newcomers implements LoadSocketContext {
  readonly host = '127.0.0.1';
  readonly tally = new Tally(undefined);
  readonly inspector = undefined;
  readonly buffer = new Uint8Array(READ_BUFFER_BYTES);
  readonly #served = new LatencyHistogram();
  readonly #waiting = new Map<number, LoadSocket>();
  #came = 0;
  #failed = 0;
  #firstFailure = '';
  #timer: NodeJS.Timeout | undefined;
  readonly #path: string;

  /** @param path of the upgrade, with the credential */
  constructor(
    readonly port: number,
    path: string,
  ) {
    this.#path = path;
  }

  start(): void {
    this.#come();
    this.#timer = setInterval(() => this.#come(), INTERVAL_MS);
  }

  /** No more come; those that came have a few seconds to be served. */
  async finish(): Promise<NewcomersReport> {
    clearInterval(this.#timer);
    const deadline = performance.now() + SERVED_WITHIN_MS;
    while (this.#waiting.size > 0 && performance.now() < deadline) await sleep(POLL_MS);
    this.end();
    const served = this.#served.take();
    return { came: served.count + this.#failed, notServed: this.#failed, firstFailure: this.#firstFailure, served };
  }

  /** Ends those that wait. */
  end(): void {
    clearInterval(this.#timer);
    for (const [index, socket] of [...this.#waiting]) {
      socket.destroy();
      this.#fail(index, `no snapshot within ${SERVED_WITHIN_MS} ms`);
    }
  }

  lost(socket: LoadSocket, reason: string, code: number | undefined): void {
    this.#fail(socket.index, `${reason}, code ${code ?? 'none'}`);
  }

  #come(): void {
    const index = this.#came++;
    const startedMs = performance.now();
    const inspector = {
      inspect: (): void => {
        if (!this.#waiting.delete(index)) return;
        this.#served.record((performance.now() - startedMs) * 1000);
        socket.destroy();
      },
    };
    const socket = new LoadSocket(index, { path: this.#path }, this, { inspector, localAddress: LOCAL_ADDRESS });
    this.#waiting.set(index, socket);
    socket.open().catch((refusal: Error) => this.#fail(index, refusal.message));
  }

  #fail(index: number, reason: string): void {
    if (!this.#waiting.delete(index)) return;
    if (this.#failed++ === 0) this.#firstFailure = reason;
  }
}
