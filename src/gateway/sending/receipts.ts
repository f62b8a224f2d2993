/**
 * What clients have received. Bytes that uWS has accepted may still wait in the kernel, on the link or in the client's
 * own buffers, where `getBufferedAmount` does not see them. A WebSocket ping follows everything sent before it, so its
 * pong proves that the client has read all of that. Such a probe tells how old what the client reads is, and lets
 * snapshots follow each other only as fast as the client takes them.
 *
 * A client that answers no ping at all breaks RFC 6455 (section 5.5.2). For it only the bytes in user space count, until
 * keepalive closes it.
 */
import type { ReceiptState } from '../model/receipt.js';
import { hasPausedStates, type Session } from '../model/session.js';

/** Maximum probes without an answer per socket: their intervals grow with the wait, so this covers a minute. */
const PROBES_MAX = 32;
/** Share of the wait so far after which the next probe follows, which bounds the error of the estimate. */
const PROBE_SHARE = 1 / 8;
const PAYLOAD_BYTES = 8;

/** Bounds of a window; the upper one keeps a fast but distant client at 5 MB/s with a round trip of 100 ms. */
const WINDOW_BYTES_MIN = 16 * 1024;
const WINDOW_BYTES_MAX = 512 * 1024;
/** A window that takes less than this share of WS_MAX_AGE to receive doubles; more than the other one halves it. */
const QUICK_SHARE = 1 / 20;
const LONG_SHARE = 1 / 4;

export interface ReceiptsOptions {
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  readonly maxAgeMs: number;
  /** Snapshots wait while more than this is buffered in user space for the socket. */
  readonly lowWaterBytes: number;
  /** No probe is sent while more than this is buffered: uWS might drop it. */
  readonly probedBytesMax: number;
  /** Sends a WebSocket ping; undefined: clients are not probed. */
  readonly ping: ((session: Session, payload: Uint8Array) => void) | undefined;
  /** Sockets that the ladder samples; those with paused topics are added. */
  readonly sampled: Set<Session>;
  /** A client answered a probe: how old was what it had just read. */
  readonly onReceived?: (session: Session, ageMs: number) => void;
}

export class Receipts {
  readonly #options: ReceiptsOptions;
  readonly #payload = new Float64Array(1);
  /** Sessions with probes that have no answer yet. */
  readonly unanswered = new Set<Session>();

  constructor(options: ReceiptsOptions) {
    this.#options = options;
  }

  /** Asks the client how far it has received. False when it cannot be asked now. */
  probe(session: Session): boolean {
    const { ping, probedBytesMax, nowMs } = this.#options;
    const { receipt, socket } = session;
    if (ping === undefined || socket === undefined || session.keepalive.closingAtMs > 0) return false;
    if (receipt.probes.length >= PROBES_MAX || socket.getBufferedAmount() > probedBytesMax) return false;
    // Distinct, also for a clock that stands still.
    const sentMs = Math.max(nowMs(), receipt.lastProbeMs + 0.001);
    const { sentBytes, receivedBytes } = receipt;
    receipt.probes.push({ sentMs, sentBytes, flightBytes: sentBytes - receivedBytes });
    receipt.lastProbeMs = sentMs;
    this.unanswered.add(session);
    this.#payload[0] = sentMs;
    ping(session, new Uint8Array(this.#payload.buffer));
    return true;
  }

  /** The same, unless it was asked less than `intervalMs` ago; the interval grows while it does not answer. */
  probeEvery(session: Session, intervalMs: number): boolean {
    const { probes, lastProbeMs } = session.receipt;
    const nowMs = this.#options.nowMs();
    const waitMs = probes[0] === undefined ? 0 : nowMs - probes[0].sentMs;
    return nowMs - lastProbeMs >= Math.max(intervalMs, waitMs * PROBE_SHARE) && this.probe(session);
  }

  /** Before the first state topic: learns the round trip, while nothing else is on its way. */
  begin(session: Session): void {
    if (session.receipt.lastProbeMs === 0) this.probe(session);
  }

  /**
   * There is no room until the client has received everything sent so far.
   * @returns whether everything published so far has been handed to the socket, which a probe does
   */
  await(session: Session): boolean {
    const { receipt } = session;
    const isProbed = this.probe(session);
    // If it cannot be asked now, the last probe must do.
    receipt.barrierMs = receipt.probes.at(-1)?.sentMs ?? 0;
    return isProbed;
  }

  /** A snapshot was sent while others are paused: finds out when they may follow. */
  delivered(session: Session): void {
    if (session.receipt.probes.length === 0) this.probe(session);
  }

  /** A pong came. False when it answers no probe. */
  ponged(session: Session, payload: ArrayBuffer): boolean {
    if (payload.byteLength !== PAYLOAD_BYTES) return false;
    const { receipt } = session;
    const [sentMs] = new Float64Array(payload);
    const at = receipt.probes.findIndex(probe => probe.sentMs === sentMs);
    const probe = receipt.probes[at];
    if (probe === undefined) return false;
    // A client may answer only the newest of several pings.
    receipt.probes.splice(0, at + 1);
    if (receipt.probes.length === 0) this.unanswered.delete(session);
    const nowMs = this.#options.nowMs();
    const tookMs = nowMs - probe.sentMs;
    receipt.roundTripMs = Math.min(receipt.roundTripMs, tookMs);
    receipt.receivedBytes = probe.sentBytes;
    receipt.progressMs = nowMs;
    if (receipt.barrierMs <= probe.sentMs) receipt.barrierMs = 0;
    const lateMs = tookMs - receipt.roundTripMs;
    this.#adapt(receipt, lateMs, probe.flightBytes);
    this.#options.onReceived?.(session, lateMs);
    return true;
  }

  /** The client has received something: its socket took more. */
  progressed({ receipt }: Session): void {
    receipt.progressMs = this.#options.nowMs();
  }

  /** How old what the client reads now is, at least: how long the oldest probe has waited beyond a round trip. */
  ageMs(session: Session): number {
    const { probes, roundTripMs } = session.receipt;
    if (probes[0] === undefined || this.#isDeaf(session)) return 0;
    const waitMs = this.#options.nowMs() - probes[0].sentMs;
    return Math.max(0, Number.isFinite(roundTripMs) ? waitMs - roundTripMs : waitMs);
  }

  /** True while snapshots may be sent to the session. When they may not, a probe finds out when they may. */
  hasRoom(session: Session): boolean {
    return this.roomBytes(session) > 0;
  }

  /** How many bytes of snapshots the session may be sent now. */
  roomBytes(session: Session): number {
    const { receipt, socket } = session;
    const freeBytes = this.#options.lowWaterBytes - (socket?.getBufferedAmount() ?? 0);
    if (freeBytes < 0) return 0;
    if (this.#isDeaf(session)) return Math.max(1, freeBytes);
    const roomBytes =
      receipt.barrierMs > 0 ? 0 : Math.max(0, receipt.windowBytes - (receipt.sentBytes - receipt.receivedBytes));
    const isAsked = receipt.barrierMs > 0 || receipt.probes.at(-1)?.sentBytes === receipt.sentBytes;
    if (roomBytes === 0 && !isAsked) this.probe(session);
    return roomBytes;
  }

  /** A state topic of the session is paused until there is room. */
  pausedForRoom(session: Session): void {
    if (!hasPausedStates(session)) session.conflation.pausedSinceMs = this.#options.nowMs();
    this.#options.sampled.add(session);
  }

  closed(session: Session): void {
    this.unanswered.delete(session);
  }

  /** True for a client that has never answered a probe in all the time it had. */
  #isDeaf({ receipt }: Session): boolean {
    if (this.#options.ping === undefined) return true;
    const [oldest] = receipt.probes;
    return (
      !Number.isFinite(receipt.roundTripMs) &&
      oldest !== undefined &&
      this.#options.nowMs() - oldest.sentMs >= this.#options.maxAgeMs
    );
  }

  /** Only a window that was used shows what the client can take. */
  #adapt(receipt: ReceiptState, lateMs: number, flightBytes: number): void {
    const { maxAgeMs } = this.#options;
    const { windowBytes } = receipt;
    if (flightBytes < windowBytes / 2) return;
    if (lateMs < maxAgeMs * QUICK_SHARE) receipt.windowBytes = Math.min(WINDOW_BYTES_MAX, 2 * windowBytes);
    else if (lateMs > maxAgeMs * LONG_SHARE) receipt.windowBytes = Math.max(WINDOW_BYTES_MIN, windowBytes / 2);
  }
}
