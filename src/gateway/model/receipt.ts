/** What a client is known to have received. Only sending/ calls what writes. Times are monotonic, in ms. */
import assert from 'node:assert/strict';

/** A WebSocket ping of the gateway's own, which asks how far the client has received. */
interface Probe {
  /** When it was sent, and what its payload says. */
  readonly sentMs: number;
  /** Bytes of snapshots sent before it, and how many of those were on their way. */
  readonly sentBytes: number;
  readonly flightBytes: number;
  /** When it was handed over, by the time of day (µs); 0: nothing is recorded. */
  readonly atMicros: number;
}

/** A first screen at once, and little for a slow link: half a second of 1 Mbit/s. */
const FIRST_WINDOW_BYTES = 64 * 1024;
/** Fewer bytes, received together, do not tell how fast a client is. */
const RATED_BYTES_MIN = 16 * 1024;
/** Two probes never have the same time. */
const TICK_MS = 0.001;

export class Receipt {
  /** How many bytes of snapshots may be on their way. */
  windowBytes = FIRST_WINDOW_BYTES;
  readonly #unanswered: Probe[] = [];
  #lastProbeMs = 0;
  #roundTripMs = Number.POSITIVE_INFINITY;
  #sentBytes = 0;
  #receivedBytes = 0;
  #barrierMs = 0;
  #progressMs = 0;
  #answeredMs = 0;
  /** When the probe was sent whose answer came last. */
  #answeredSentMs = 0;
  /** The bytes that are rated were sent after the second of these times, and received after the first. */
  #ratedSinceMs = 0;
  #ratedSentMs = 0;
  #ratedBytes = 0;
  #bytesPerMs = Number.POSITIVE_INFINITY;

  /** Counted bytes that may still be on their way: snapshots, and what else slow-consumers/slow-start.ts counts. */
  get flightBytes(): number {
    return this.#sentBytes - this.#receivedBytes;
  }

  /** The oldest probe without an answer; undefined: the client has received everything that it was probed for. */
  get oldest(): Probe | undefined {
    return this.#unanswered[0];
  }

  get unanswered(): number {
    return this.#unanswered.length;
  }

  /** When the last probe was sent; 0: never. */
  get lastProbeMs(): number {
    return this.#lastProbeMs;
  }

  /** Shortest time from a probe to its answer; Infinity: none has come yet. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** How fast the client last took counted bytes when it was busy with them; Infinity: it never was. */
  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  /** When the client last received anything, as far as is known; 0: never. */
  get progressMs(): number {
    return this.#progressMs;
  }

  /** True until the client has received everything sent before `raiseBarrier`. */
  get isBarred(): boolean {
    return this.#barrierMs > 0;
  }

  /** True when an unanswered probe covers every snapshot sent. */
  get isCovered(): boolean {
    return this.#unanswered.at(-1)?.sentBytes === this.#sentBytes;
  }

  /** A snapshot was sent. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /**
   * A probe is about to be sent.
   * @param atMicros the time of day, for the journal
   * @returns its time, which identifies it
   */
  probe(nowMs: number, atMicros = 0): number {
    const sentMs = Math.max(nowMs, this.#lastProbeMs + TICK_MS);
    this.#unanswered.push({ sentMs, sentBytes: this.#sentBytes, flightBytes: this.flightBytes, atMicros });
    this.#lastProbeMs = sentMs;
    return sentMs;
  }

  /**
   * The probe of that time is answered, and with it all before it.
   * @param busyMs an answer later than this says that the client reads as fast as it can
   * @returns undefined when there is no such probe
   */
  answer(sentMs: number, nowMs: number, busyMs: number): Probe | undefined {
    // A client may answer only the newest of several pings (RFC 6455, section 5.5.3).
    const at = this.#unanswered.findIndex(probe => probe.sentMs === sentMs);
    const probe = this.#unanswered[at];
    if (probe === undefined) return undefined;
    this.#unanswered.splice(0, at + 1);
    this.#roundTripMs = Math.min(this.#roundTripMs, nowMs - sentMs);
    this.#rate(probe, nowMs, busyMs);
    this.#receivedBytes = probe.sentBytes;
    if (this.#barrierMs <= sentMs) this.#barrierMs = 0;
    this.progressed(nowMs);
    assert(this.flightBytes >= 0, 'a client receives no more than it was sent');
    return probe;
  }

  /** Measures from answer to answer while the client has something to read; else from the probe. */
  #rate({ sentMs, sentBytes }: Probe, nowMs: number, busyMs: number): void {
    if (sentMs >= this.#answeredMs) {
      this.#ratedSinceMs = sentMs;
      this.#ratedBytes = 0;
      this.#ratedSentMs = this.#answeredSentMs;
    }
    this.#answeredMs = nowMs;
    this.#ratedBytes += sentBytes - this.#receivedBytes;
    this.#answeredSentMs = sentMs;
    if (this.#ratedBytes < RATED_BYTES_MIN) return;
    if (nowMs - sentMs - this.#roundTripMs >= busyMs) {
      this.#bytesPerMs = this.#ratedBytes / Math.max(1, nowMs - this.#ratedSinceMs);
    } else {
      // It was not busy, and can do at least that: it may have read some of this before it was asked.
      this.#bytesPerMs = Math.max(this.#bytesPerMs, this.#ratedBytes / Math.max(1, nowMs - this.#ratedSentMs));
    }
    this.#ratedSinceMs = nowMs;
    this.#ratedSentMs = sentMs;
    this.#ratedBytes = 0;
  }

  /** The client has received something. */
  progressed(nowMs: number): void {
    this.#progressMs = nowMs;
  }

  /** From now on until the answer to the newest probe, if one is unanswered, nothing more may be sent. */
  raiseBarrier(): void {
    this.#barrierMs = this.#unanswered.at(-1)?.sentMs ?? 0;
  }
}
