/** What clients missed on its way to them: as much as their sockets and the turn take; and what of it may wait here. */
import { replayUnits } from '../../protocol/costs.js';
import type { Session, Socket, Subscription } from '../model/session.js';
import type { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import type { Recovery } from './missed-events.js';
import { ReplayLog } from './replay-log.js';
import type { SharedReplays } from './shared-replays.js';

/** Live messages queued for one topic behind what was missed; beyond it the rest is lost, and announced. */
export const QUEUE_BYTES_MAX = 1024 * 1024;
/** What all clients of a worker missed and have not been sent; beyond it the slowest lose the rest, then newcomers begin anew. */
export const HELD_BYTES_MAX = 64 * 1024 * 1024;
/** The same of one session; beyond it, what it asks for is not recovered. */
export const SESSION_BYTES_MAX = 16 * 1024 * 1024;
/** What a session is sent of one topic before others have their turn. */
const PIECE_BYTES = 16 * 1024;
/** What is sent of one topic when nothing can be sent of it any more from then on. */
const HURRIED_PIECES_MAX = 16;

export interface ResendingOptions {
  readonly replays: SharedReplays;
  readonly deliveries: Deliveries;
  readonly outbox: Outbox;
  /** More than this waiting for a socket, and the rest waits too. */
  readonly bufferedBytesMax: number;
  /** What the subscription recovers now. */
  readonly recoveryOf: (subscription: Subscription) => Recovery | undefined;
  /** All is sent, or the rest of it was cut. */
  readonly onSent: (subscription: Subscription, recovery: Recovery) => void;
}

export class Resending {
  readonly #options: ResendingOptions;
  /** Sessions that are still to be sent something; the one that waits longest first. */
  readonly #sending = new Map<Session, Set<Subscription>>();
  readonly #bytesOf = new Map<Session, number>();
  #queuedBytes = 0;

  constructor(options: ResendingOptions) {
    this.#options = options;
  }

  /** What waits to be sent, and what others may still read. */
  get heldBytes(): number {
    return this.#queuedBytes + this.#options.replays.bytes;
  }

  /** Makes room for so many bytes more: at the cost of logs that nobody reads, then of the clients that read slowest. */
  hasRoomFor(bytes: number): boolean {
    while (this.heldBytes + bytes > HELD_BYTES_MAX) {
      if (!this.#options.replays.forgetOldest() && !this.#cutSlowest()) return false;
    }
    return true;
  }

  /** What is missed is that of the log from `index` on. False when that is too much for the session. */
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

  /** A live message is to be sent behind what was missed. False when there is no room for it. */
  queue(subscription: Subscription, recovery: Recovery, bytes: Uint8Array, seq: number, tag: number): boolean {
    const cost = ReplayLog.cost(bytes.length);
    if (recovery.queuedBytes + cost > QUEUE_BYTES_MAX || !this.hasRoomFor(cost)) return false;
    // It was the slowest itself: it gets the message as everybody does.
    if (this.#options.recoveryOf(subscription) !== recovery) return true;
    if (!this.#charge(subscription.session, cost)) return false;
    recovery.queued.push({ bytes, seq, tag });
    recovery.queuedBytes += cost;
    this.#queuedBytes += cost;
    return true;
  }

  /** What was missed is sent, or never will be. */
  dropMissed(subscription: Subscription, recovery: Recovery): void {
    const { log } = recovery;
    if (log === undefined) return;
    recovery.log = undefined;
    this.#charge(subscription.session, -recovery.logBytes);
    this.#options.replays.release(log);
  }

  /** Nothing of it will be sent. */
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

  /** Sends what there is, piece by piece, until all is sent. */
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
    // One that is sent leaves the set, which its iterator allows.
    for (const subscription of this.#sending.get(session) ?? []) {
      const recovery = this.#options.recoveryOf(subscription);
      if (recovery?.delivery !== undefined) this.#options.deliveries.add(recovery.delivery);
    }
  }

  /** Sends now what is left, as far as the socket takes it and it is not much. */
  hurry(subscription: Subscription, recovery: Recovery): void {
    const { socket } = subscription.session;
    if (socket === undefined || recovery.delivery === undefined) return;
    for (let pieces = HURRIED_PIECES_MAX; pieces > 0; pieces--) {
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
    const isFull = () => session.isStalled || socket.getBufferedAmount() > bufferedBytesMax;
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
      const bytes = isMissed ? log.frame(next) : (queued as { bytes: Uint8Array }).bytes;
      // A drop suspends the session, and with it this subscription: the rest is announced as lost.
      if (!outbox.sendEncoded(session, view, bytes)) {
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
    deliveries.spend(sentBytes);
    const paidBytes = Math.min(recovery.paidBytes, missedBytes);
    recovery.paidBytes -= paidBytes;
    deliveries.charge(session, replayUnits(missedBytes - paidBytes));
    this.#dropQueued(subscription, recovery, queuedSent);
    if (recovery.next >= recovery.logEnd) this.dropMissed(subscription, recovery);
    return outcome;
  }

  /** Retail first. Whoever is cut goes live, and is told what is lost. */
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
