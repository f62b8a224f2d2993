/** When each client that subscribed had its snapshot. */
import type { FrameInspector } from './frame-reader.js';
import { LatencyHistogram, type LatencyReport } from './latency-histogram.js';
import { ascii, find } from './order-inspector.js';

const SNAPSHOT = ascii('"snapshot":true');
/** A snapshot says so at its beginning. */
const WITHIN_BYTES = 64;

export class SnapshotInspector implements FrameInspector {
  /** Clients that have asked and have nothing yet. */
  waiting = 0;
  /** When the last snapshot came, or the last client asked. */
  lastMs = 0;
  /** By client: when it asked; 0 when it waits for nothing. */
  readonly #askedMs: Float64Array;
  readonly #times = new LatencyHistogram();

  constructor(clients: number) {
    this.#askedMs = new Float64Array(clients);
  }

  /** A client subscribes; it should have done so at `dueMs`. */
  asked(client: number, dueMs: number): void {
    this.#askedMs[client] = dueMs;
    this.waiting++;
    this.lastMs = performance.now();
  }

  inspect(client: number, bytes: Uint8Array, from: number, to: number): void {
    const askedMs = this.#askedMs[client] ?? 0;
    if (askedMs === 0 || find(bytes, from, Math.min(to, from + WITHIN_BYTES), SNAPSHOT) < 0) return;
    this.#askedMs[client] = 0;
    this.waiting--;
    this.lastMs = performance.now();
    this.#times.record((this.lastMs - askedMs) * 1000);
  }

  /** From each client's subscribe to its snapshot. */
  take(): LatencyReport {
    return this.#times.take();
  }
}
