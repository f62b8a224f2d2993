/**
 * How much a NATS server has queued for this gateway. The answer to a ping waits behind everything that the server has
 * queued before it, so the bytes that arrive first are those in the queue, and the time it takes is how late messages
 * are. A server cuts a client as a slow consumer once its queue exceeds `max_pending`, or a write takes longer than
 * `write_deadline`: both are seen coming here.
 */
import type { NatsConnection } from 'nats';
import type { Clock } from '../feed-contract/feed.js';

const PING_INTERVAL_MS = 1_000;
/** From here on the server may soon cut this gateway: its defaults are 64 MiB and 10 s. */
export const QUEUED_BYTES_HIGH = 16 * 1024 * 1024;
export const ROUND_TRIP_MS_HIGH = 2_500;

interface RoundTripOptions {
  readonly connection: Pick<NatsConnection, 'flush' | 'stats'>;
  readonly clock: Clock;
  /** False while there is no connection: then nothing is measured. */
  readonly isConnected: () => boolean;
  /** The queue has become long (a detail), or short again (''). */
  readonly onHigh: (detail: string) => void;
}

export class RoundTrip {
  readonly #options: RoundTripOptions;
  #timer: unknown;
  #isStopped = false;
  #sentMicros: number | undefined;
  #bytesBefore = 0;
  #lastMs: number | undefined;
  #queuedBytes = 0;
  #isHigh = false;

  constructor(options: RoundTripOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** The newest round trip, or the age of one that takes longer. */
  get roundTripMs(): number | undefined {
    const { lastMs, pendingMs } = { lastMs: this.#lastMs, pendingMs: this.#pendingMs };
    return pendingMs !== undefined && pendingMs > (lastMs ?? 0) ? pendingMs : lastMs;
  }

  get queuedBytes(): number {
    return this.#sentMicros === undefined ? this.#queuedBytes : Math.max(this.#queuedBytes, this.#arrivedBytes);
  }

  stop(): void {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  get #pendingMs(): number | undefined {
    return this.#sentMicros === undefined
      ? undefined
      : (this.#options.clock.monotonicMicros() - this.#sentMicros) / 1000;
  }

  get #arrivedBytes(): number {
    return this.#options.connection.stats().inBytes - this.#bytesBefore;
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimeout(() => this.#ping(), PING_INTERVAL_MS);
  }

  #ping(): void {
    if (this.#isStopped) return;
    this.#schedule();
    if (!this.#options.isConnected()) {
      this.#forget();
      return;
    }
    if (this.#sentMicros !== undefined) {
      this.#check();
      return;
    }
    this.#sentMicros = this.#options.clock.monotonicMicros();
    this.#bytesBefore = this.#options.connection.stats().inBytes;
    const sentMicros = this.#sentMicros;
    this.#options.connection.flush().then(
      () => {
        // A ping of a connection that was lost since then says nothing.
        if (this.#sentMicros === sentMicros) this.#answered();
      },
      () => this.#forget(),
    );
  }

  #answered(): void {
    this.#lastMs = this.#pendingMs;
    this.#queuedBytes = this.#arrivedBytes;
    this.#sentMicros = undefined;
    this.#check();
  }

  #forget(): void {
    this.#sentMicros = undefined;
    this.#lastMs = undefined;
    this.#queuedBytes = 0;
    this.#isHigh = false;
  }

  #check(): void {
    if (this.#isStopped) return;
    const [ms, bytes] = [this.roundTripMs ?? 0, this.queuedBytes];
    const isHigh = ms >= ROUND_TRIP_MS_HIGH || bytes >= QUEUED_BYTES_HIGH;
    if (isHigh === this.#isHigh) return;
    this.#isHigh = isHigh;
    this.#options.onHigh(isHigh ? `${bytes} bytes queued, ${Math.round(ms)} ms late` : '');
  }
}
