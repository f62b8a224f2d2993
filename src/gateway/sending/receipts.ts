/**
 * What clients have received. Bytes that uWS has accepted may still wait in the kernel, on the link or in the client's
 * own buffers, where `getBufferedAmount` does not see them. A WebSocket ping follows everything sent before it, so its
 * pong proves that the client has read all of that. Such a probe tells how old what the client reads is, and lets
 * snapshots follow each other only as fast as the client takes them.
 *
 * A client that answers no ping at all breaks RFC 6455 (section 5.5.2). For it only the bytes in user space count, until
 * keepalive closes it.
 */
import type { Receipt } from '../model/receipt.js';
import type { Session } from '../model/session.js';

/** Maximum probes without an answer per socket: their intervals grow with the wait, so these last for minutes. */
const UNANSWERED_MAX = 48;
/** Share of the wait so far after which the next probe follows, which bounds the error of the estimate. */
const PROBE_SHARE = 1 / 8;
const PAYLOAD_BYTES = 8;

/** Bounds of a window. The upper one lets a distant client (100 ms) receive 5 MB/s. */
const WINDOW_BYTES_MIN = 16 * 1024;
const WINDOW_BYTES_MAX = 512 * 1024;
/** A window that takes less than the first share of WS_MAX_AGE doubles; one that takes more than the other halves. */
const QUICK_SHARE = 1 / 20;
const LONG_SHARE = 1 / 4;

interface ReceiptsOptions {
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  readonly maxAgeMs: number;
  /** Snapshots wait while more than this is buffered in user space for the socket. */
  readonly lowWaterBytes: number;
  /** No probe is sent while more than this is buffered: uWS might drop it. */
  readonly probedBytesMax: number;
  /** Sends a WebSocket ping; undefined: clients are not probed. */
  readonly ping?: (session: Session, payload: Uint8Array) => void;
  /** The time of day, µs, at which a probe is handed over, for the journal; 0 without one. */
  readonly handOver?: () => number;
  /** A client answered a probe; `ageMs`: how old was what it had just read; `atMicros`: what `handOver` said then. */
  readonly onReceived?: (session: Session, ageMs: number, atMicros: number) => void;
  /** The session begins state topics. */
  readonly onBegin?: (session: Session) => void;
}

export class Receipts {
  readonly #options: ReceiptsOptions;
  /** Sessions with probes that have no answer yet. */
  readonly unanswered = new Set<Session>();

  constructor(options: ReceiptsOptions) {
    this.#options = options;
  }

  /** Asks the client how far it has received. False when it cannot be asked now. */
  probe(session: Session): boolean {
    const { ping, probedBytesMax, nowMs } = this.#options;
    const { receipt, socket, keepalive } = session;
    if (ping === undefined || socket === undefined || keepalive.closingAtMs > 0) return false;
    if (receipt.unanswered >= UNANSWERED_MAX || socket.getBufferedAmount() > probedBytesMax) return false;
    const payload = new Float64Array([receipt.probe(nowMs(), this.#options.handOver?.())]);
    this.unanswered.add(session);
    ping(session, new Uint8Array(payload.buffer));
    return true;
  }

  /** The same, unless it was asked less than `intervalMs` ago; the interval grows while it does not answer. */
  probeEvery(session: Session, intervalMs: number): boolean {
    const { oldest, lastProbeMs } = session.receipt;
    const nowMs = this.#options.nowMs();
    const waitMs = oldest === undefined ? 0 : nowMs - oldest.sentMs;
    return nowMs - lastProbeMs >= Math.max(intervalMs, waitMs * PROBE_SHARE) && this.probe(session);
  }

  /** The session begins state topics. Before the first one, learns the round trip, while nothing else is on its way. */
  begin(session: Session): void {
    if (session.receipt.lastProbeMs === 0) this.probe(session);
    this.#options.onBegin?.(session);
  }

  /**
   * There is no room until the client has received everything sent so far.
   * @returns whether everything published so far has been handed to the socket, as a probe does
   */
  awaitAll(session: Session): boolean {
    const isProbed = this.probe(session);
    // If it cannot be asked now, the last probe must do.
    session.receipt.raiseBarrier();
    return isProbed;
  }

  /** A snapshot was sent while other topics wait for room: finds out when they may follow. */
  delivered(session: Session): void {
    if (session.receipt.unanswered === 0) this.probe(session);
  }

  /** A pong came. False when it answers no probe. */
  ponged(session: Session, payload: ArrayBuffer): boolean {
    if (payload.byteLength !== PAYLOAD_BYTES) return false;
    const { receipt } = session;
    const { nowMs: now, maxAgeMs } = this.#options;
    const nowMs = now();
    const probe = receipt.answer(new Float64Array(payload)[0] as number, nowMs, maxAgeMs * QUICK_SHARE);
    if (probe === undefined) return false;
    if (receipt.unanswered === 0) this.unanswered.delete(session);
    const lateMs = nowMs - probe.sentMs - receipt.roundTripMs;
    this.#adapt(receipt, lateMs, probe.flightBytes);
    this.#options.onReceived?.(session, lateMs, probe.atMicros);
    return true;
  }

  /** The client has received something: its socket took more. */
  progressed({ receipt }: Session): void {
    receipt.progressed(this.#options.nowMs());
  }

  /** How old what the client reads now is, at least: how long the oldest probe has waited beyond a round trip. */
  ageMs(session: Session): number {
    const { oldest, roundTripMs } = session.receipt;
    if (oldest === undefined || this.#isDeaf(session)) return 0;
    const waitMs = this.#options.nowMs() - oldest.sentMs;
    return Number.isFinite(roundTripMs) ? Math.max(0, waitMs - roundTripMs) : waitMs;
  }

  /** True while snapshots may be sent to the session. */
  hasRoom(session: Session): boolean {
    return this.roomBytes(session) > 0;
  }

  /** How many bytes of snapshots the session may be sent now. When there is no room, a probe finds out when there is. */
  roomBytes(session: Session): number {
    const { receipt, socket } = session;
    const freeBytes = this.#options.lowWaterBytes - (socket?.getBufferedAmount() ?? 0);
    if (freeBytes < 0) return 0;
    if (this.#isDeaf(session)) return Math.max(1, freeBytes);
    if (receipt.isBarred) return 0;
    const roomBytes = Math.max(0, receipt.windowBytes - receipt.flightBytes);
    if (roomBytes === 0 && !receipt.isCovered) this.probe(session);
    return roomBytes;
  }

  closed(session: Session): void {
    this.unanswered.delete(session);
  }

  /** True for a client that cannot be asked, or has not answered in all the time it had. */
  #isDeaf({ receipt }: Session): boolean {
    if (this.#options.ping === undefined) return true;
    const { oldest } = receipt;
    if (oldest === undefined || Number.isFinite(receipt.roundTripMs)) return false;
    return this.#options.nowMs() - oldest.sentMs >= this.#options.maxAgeMs;
  }

  /** Only a window that was used shows what the client can take. */
  #adapt(receipt: Receipt, lateMs: number, flightBytes: number): void {
    const { maxAgeMs } = this.#options;
    const { windowBytes } = receipt;
    if (flightBytes < windowBytes / 2) return;
    if (lateMs < maxAgeMs * QUICK_SHARE) receipt.windowBytes = Math.min(WINDOW_BYTES_MAX, 2 * windowBytes);
    else if (lateMs > maxAgeMs * LONG_SHARE) receipt.windowBytes = Math.max(WINDOW_BYTES_MIN, windowBytes / 2);
  }
}
