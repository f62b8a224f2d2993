/**
 * Sends clients what they missed, as fast as their sockets and the turn allow, and bounds how much of it may wait
 * here.
 */
import { replayUnits } from '../../protocol/costs.js';
import type { Session, Socket, Subscription } from '../model/session.js';
import type { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import type { Frame, Recovery } from './missed-events.js';
import { ReplayLog } from './replay-log.js';
import type { SharedReplays } from './shared-replays.js';

/**
 * Maximum bytes of live messages queued for one topic behind the missed ones; beyond it the rest is lost and
 * announced.
 */
export const QUEUE_BYTES_MAX = 1024 * 1024;
/**
 * Maximum bytes of missed messages waiting for all clients of a worker. Beyond it, the slowest lose the rest; after
 * that, new recoveries fail.
 */
export const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** The same for one session; beyond it, its requests are not recovered. */
export const SESSION_BYTES_MAX = 16 * 1024 * 1024;
/** How much of one topic a session is sent before others get their turn. */
const PIECE_BYTES = 16 * 1024;
/** How many pieces of a topic are sent at once when nothing more can be sent later. */
const FLUSHED_PIECES_MAX = 16;

interface ResendingOptions {
  readonly replays: SharedReplays;
  readonly deliveries: Deliveries;
  readonly outbox: Outbox;
  /** While more than this is buffered for a socket, the rest waits too. */
  readonly bufferedBytesMax: number;
  /** The current recovery of a subscription. */
  readonly recoveryOf: (subscription: Subscription) => Recovery | undefined;
  /** Everything has been sent, or the rest was cut. */
  readonly onSent: (subscription: Subscription, recovery: Recovery) => void;
}

export class Resending {
  readonly #options: ResendingOptions;
  /** Sessions with something left to send; the longest waiting first. */
  readonly #sending = new Map<Session, Set<Subscription>>();
  readonly #bytesOf = new Map<Session, number>();
  #queuedBytes = 0;

  constructor(options: ResendingOptions) {
    this.#options = options;
  }

  /** Bytes waiting to be sent or kept for other clients. */
  get waitingBytes(): number {
    return this.#queuedBytes + this.#options.replays.bytes;
  }

  /**
   * Makes room for this many more bytes: first by dropping logs without readers, then by cutting the slowest clients.
   */
  hasRoomFor(bytes: number): boolean {
    while (this.waitingBytes + bytes > WAITING_BYTES_MAX) {
      if (!this.#options.replays.forgetOldest() && !this.#cutSlowest()) return false;
    }
    return true;
  }

  /** Attaches the log: the missed messages are those from `index` on. False when that is too much for the session. */
  attach({ session }: Subscription, recovery: Recovery, log: ReplayLog, index: number): boolean {
    const bytes = log.bytesFrom(index);
    if (!this.#charge(session, bytes)) return false;
    this.#options.replays.read(log);
    recovery.log = log;
    recovery.next = index;
    recovery.logEnd = log.length;
    recovery.logBytes = bytes;
    return true;
  }

  /** Queues a live message to send after the missed ones. False when there is no room for it. */
  queue(subscription: Subscription, recovery: Recovery, frame: Frame): boolean {
    const cost = ReplayLog.cost(frame.bytes.length);
    if (recovery.queuedBytes + cost > QUEUE_BYTES_MAX || !this.hasRoomFor(cost)) return false;
    // It was itself the slowest and was cut: it gets the message the usual way.
    if (this.#options.recoveryOf(subscription) !== recovery) return true;
    if (!this.#charge(subscription.session, cost)) return false;
    recovery.queued.push(frame);
    recovery.queuedBytes += cost;
    this.#queuedBytes += cost;
    return true;
  }

  /** The missed messages have been sent, or never will be. */
  dropMissed(subscription: Subscription, recovery: Recovery): void {
    const { log } = recovery;
    if (log === undefined) return;
    recovery.log = undefined;
    this.#charge(subscription.session, -recovery.logBytes);
    this.#options.replays.release(log);
  }

  /** Drops everything that is left to send. */
  dropAll(subscription: Subscription, recovery: Recovery): void {
    this.dropMissed(subscription, recovery);
    this.#dropQueued(subscription, recovery, recovery.queued.length);
  }

  /** The recovery is over. */
  end(subscription: Subscription, recovery: Recovery): void {
    this.dropAll(subscription, recovery);
    if (recovery.delivery !== undefined) this.#options.deliveries.cancel(recovery.delivery);
    const sending = this.#sending.get(subscription.session);
    sending?.delete(subscription);
    if (sending?.size === 0) this.#sending.delete(subscription.session);
  }

  /** Sends what there is, piece by piece, until everything has been sent. */
  begin(subscription: Subscription, recovery: Recovery): void {
    const { session } = subscription;
    if (recovery.log === undefined && recovery.queued.length === 0) {
      this.#options.onSent(subscription, recovery);
      return;
    }
    const sending = this.#sending.get(session);
    if (sending === undefined) this.#sending.set(session, new Set([subscription]));
    else sending.add(subscription);
    recovery.delivery = { session, deliver: () => this.#deliver(subscription, recovery) };
    this.#options.deliveries.add(recovery.delivery);
  }

  /** The socket can take more. */
  drained(session: Session): void {
    // A subscription that has been sent everything leaves the set, which its iterator allows.
    for (const subscription of this.#sending.get(session) ?? []) {
      const recovery = this.#options.recoveryOf(subscription);
      if (recovery?.delivery !== undefined) this.#options.deliveries.add(recovery.delivery);
    }
  }

  /** Sends the rest now, if it is little and the socket accepts it. */
  flush(subscription: Subscription, recovery: Recovery): void {
    const { socket } = subscription.session;
    if (socket === undefined || recovery.delivery === undefined) return;
    for (let pieces = FLUSHED_PIECES_MAX; pieces > 0; pieces--) {
      if (this.#sendPiece(subscription, recovery, socket) !== 'more') return;
    }
  }

  #deliver(subscription: Subscription, recovery: Recovery): void {
    const { session } = subscription;
    const { socket } = session;
    if (socket === undefined || this.#options.recoveryOf(subscription) !== recovery) return;
    const { deliveries, outbox } = this.#options;
    const outcome = this.#sendPiece(subscription, recovery, socket);
    if (outcome === 'all') this.#options.onSent(subscription, recovery);
    else if (outcome === 'more' && recovery.delivery !== undefined) deliveries.addBehind(recovery.delivery);
    // It is sampled until it can take more.
    else outbox.buffered.add(session);
  }

  #sendPiece(subscription: Subscription, recovery: Recovery, socket: Socket): 'all' | 'more' | 'full' {
    const { session, view } = subscription;
    const { outbox, deliveries, bufferedBytesMax } = this.#options;
    const isFull = () => session.isSuspended || socket.getBufferedAmount() > bufferedBytesMax;
    let sentBytes = 0;
    let missedBytes = 0;
    let queuedSent = 0;
    let outcome: 'all' | 'more' | 'full' = 'all';
    for (;;) {
      const { log, next, logEnd } = recovery;
      const isMissed = log !== undefined && next < logEnd;
      const queued = recovery.queued[queuedSent];
      if (!isMissed && queued === undefined) break;
      if (isFull()) outcome = 'full';
      else if (sentBytes >= PIECE_BYTES) outcome = 'more';
      if (outcome !== 'all') break;
      const bytes = isMissed ? log.frame(next) : (queued as Frame).bytes;
      const place = isMissed ? outbox.journal && log.place(next) : queued?.place;
      // A drop suspends the session and this subscription with it: the rest is announced as lost.
      if (!outbox.sendEncoded(session, view, bytes, place)) {
        outcome = 'full';
        break;
      }
      sentBytes += bytes.length;
      if (isMissed) {
        missedBytes += bytes.length;
        recovery.sent = { tag: recovery.endTag, seq: log.seq(next) };
        recovery.next++;
      } else {
        recovery.sent = { tag: queued?.tag ?? 0, seq: queued?.seq ?? 0 };
        queuedSent++;
      }
    }
    outbox.journal?.sentAll();
    deliveries.spend(sentBytes);
    const paidBytes = Math.min(recovery.paidBytes, missedBytes);
    recovery.paidBytes -= paidBytes;
    deliveries.charge(session, replayUnits(missedBytes - paidBytes));
    this.#dropQueued(subscription, recovery, queuedSent);
    if (recovery.next >= recovery.logEnd) this.dropMissed(subscription, recovery);
    return outcome;
  }

  /** Cuts retail clients first. A client that is cut goes live and is told what it lost. */
  #cutSlowest(): boolean {
    let slowest: Session | undefined;
    for (const session of this.#sending.keys()) {
      slowest ??= session;
      if (session.tier !== 'retail') continue;
      slowest = session;
      break;
    }
    if (slowest === undefined) return false;
    for (const subscription of [...(this.#sending.get(slowest) ?? [])]) {
      const recovery = this.#options.recoveryOf(subscription);
      if (recovery === undefined) continue;
      this.dropAll(subscription, recovery);
      recovery.isCut = true;
      this.#options.onSent(subscription, recovery);
    }
    return true;
  }

  #dropQueued(subscription: Subscription, recovery: Recovery, count: number): void {
    let cost = 0;
    for (const { bytes } of recovery.queued.splice(0, count)) cost += ReplayLog.cost(bytes.length);
    recovery.queuedBytes -= cost;
    this.#queuedBytes -= cost;
    this.#charge(subscription.session, -cost);
  }

  /** False, and nothing is charged, when it is too much. */
  #charge(session: Session, bytes: number): boolean {
    const all = (this.#bytesOf.get(session) ?? 0) + bytes;
    if (bytes > 0 && all > SESSION_BYTES_MAX) return false;
    if (all === 0) this.#bytesOf.delete(session);
    else this.#bytesOf.set(session, all);
    return true;
  }
}
