/**
 * The ladder for slow consumers, rung by rung. When a client reads late what it was sent, or its buffer is over the
 * high-water mark, its state topics stop, and resume, in a slower class if need be, once it has received what was sent
 * (conflation.ts). If it still reads nothing, or uWS drops something, all its topics are suspended: uWS drops silently
 * once a socket's user-space buffer exceeds its limit, and does not say which topic. After draining, the socket gets
 * snapshots for state topics, a class slower, and gaps for event topics.
 *
 * Each socket has a circuit: closed; open, with its topics suspended; or half open, from draining until it has kept up
 * for several consecutive checks. A circuit that opens too often, or stays open too long without the client receiving
 * anything, closes the connection with 4008. Over uWS's limit no close frame can be sent, so a client that reads nothing
 * at all sees 1006.
 *
 * uWS's `dropped` callback may only set flags: closing, sending or (un)subscribing in it aborts the process.
 */
import type { CircuitConfig } from '../../config/limits.js';
import { hasPausedStates, type Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Receipts } from '../sending/receipts.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import type { Ages } from './ages.js';
import type { BufferedTotal } from './buffered-total.js';
import { Conflation } from './conflation.js';
import type { SlowStart } from './slow-start.js';

/**
 * Shares of the backpressure limit. Above the high mark, state topics move to a slower class; above the next one, all
 * topics are suspended before uWS drops anything; below the low one, they resume.
 */
const HIGH_WATER_SHARE = 0.5;
const SUSPEND_SHARE = 0.75;
const LOW_WATER_SHARE = 0.125;
/**
 * What the kernel took for each socket before TCP_NOTSENT_LOWAT kept it visible. As much more than the limit may be
 * buffered for a burst, as long as the client reads.
 */
const KERNEL_SHARE_BYTES = 4 * 1024 * 1024;
/**
 * A client may leave such a burst unread for this long. One that receives nothing for as long after its state topics
 * stop is suspended, however little is buffered; after the other time, where only its pongs tell what it reads.
 */
const UNREAD_GRACE_MS = 1_000;
const UNANSWERED_GRACE_MS = 5_000;
/**
 * Shares of WS_MAX_AGE. A client that is so late and still falls further behind has its state topics paused; one that is
 * as late as the second share, whatever is buffered for it.
 */
const LATE_SHARE = 1 / 8;
const TOO_LATE_SHARE = 1 / 2;
/** With such a share of the low mark buffered and not shrinking, a client that is so late falls behind quickly. */
const PILED_UP_SHARE = 1 / 4;
const PILED_UP_LATE_MS = 50;
/** How often to check the sockets known to be buffered. */
export const SAMPLE_INTERVAL_MS = 100;
/**
 * How often to look for clients that fall behind quickly: a feed of 2 MB/s queues 14 s of a link of 150 KB/s in a
 * second.
 */
export const GLANCE_INTERVAL_MS = 25;
/** So many intervals after the last one, the thread was busy: answers wait unread, and no client's age is known. */
const LATE_INTERVALS = 2;

/** Bytes beyond the limit that a burst may take. @param unsentBytesMax what the kernel still takes */
export const burstBytesOf = (unsentBytesMax: number): number => Math.max(0, KERNEL_SHARE_BYTES - unsentBytesMax);

/** The marks of a socket's buffer, in bytes. */
export const marksOf = (backpressureBytesMax: number) => ({
  highWaterBytes: backpressureBytesMax * HIGH_WATER_SHARE,
  suspendBytes: backpressureBytesMax * SUSPEND_SHARE,
  lowWaterBytes: backpressureBytesMax * LOW_WATER_SHARE,
});

interface LadderOptions {
  readonly subscriptions: Subscriptions;
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly ages: Ages;
  readonly slowStart: SlowStart;
  readonly maxAgeMs: number;
  readonly backpressureBytesMax: number;
  /** Bytes beyond it that a burst may take while the client reads; default: 0. */
  readonly burstBytes?: number;
  readonly circuit: CircuitConfig;
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  /** Closes the connection of a client that is too slow. */
  readonly close: (session: Session) => void;
  /** @see ConflationOptions.onStep */
  readonly onStep?: (session: Session, isSlower: boolean) => void;
  /** The bound on bytes buffered for all sockets; undefined: no bound. */
  readonly total?: BufferedTotal;
}

export class Ladder {
  readonly counters = { dropped: 0, stalls: 0, resumes: 0 };
  readonly #options: LadderOptions;
  /** Clients that receive their state topics in a slower class. */
  readonly conflation: Conflation;
  readonly #highWaterBytes: number;
  readonly #suspendBytes: number;
  readonly #lowWaterBytes: number;
  /** Sessions whose circuit is open or half open. */
  readonly #watched = new Set<Session>();
  #pending: Session[] = [];
  #sampledMs: number;
  #glancedMs: number;

  constructor(options: LadderOptions) {
    this.#options = options;
    const marks = marksOf(options.backpressureBytesMax);
    this.#highWaterBytes = marks.highWaterBytes;
    this.#suspendBytes = marks.suspendBytes;
    this.#lowWaterBytes = marks.lowWaterBytes;
    this.#sampledMs = options.nowMs();
    this.#glancedMs = this.#sampledMs;
    const { restoreAfterMs } = options.circuit;
    this.conflation = new Conflation({ ...options, restoreAfterMs });
  }

  /** True when `settle` has something to do. */
  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Clients that hold state topics which are too old, and how old what clients read was. */
  get ages(): Ages {
    return this.#options.ages;
  }

  get buffered(): number {
    return this.#options.outbox.buffered.size;
  }

  /** Bytes buffered in user space now: for all sockets, and for the one with the most. */
  get waitingBytes(): { readonly all: number; readonly most: number } {
    let all = 0;
    let most = 0;
    for (const { socket } of this.#options.outbox.buffered) {
      const waiting = socket?.getBufferedAmount() ?? 0;
      all += waiting;
      most = Math.max(most, waiting);
    }
    return { all, most };
  }

  /** Circuits that are open now. */
  get open(): number {
    let open = 0;
    for (const { flow } of this.#watched) if (flow.circuit.isOpen) open++;
    return open;
  }

  /** Circuits that are half open now. */
  get halfOpen(): number {
    return this.#watched.size - this.open;
  }

  /** Called from uWS's `dropped`. @param turn the turn whose publishes are being written */
  dropped(session: Session, turn: number): void {
    this.counters.dropped++;
    if (session.flow.recordDrop(turn)) this.#pending.push(session);
  }

  /** Called from uWS's `drain`: the socket has written something. */
  drained(session: Session): void {
    this.#options.receipts.progressed(session);
    this.#advance(session);
  }

  /** A pong came. @returns whether it answers a probe */
  ponged(session: Session, payload: ArrayBuffer): boolean {
    if (!this.#options.receipts.ponged(session, payload)) return false;
    if (session.isSuspended || hasPausedStates(session)) this.#advance(session);
    return true;
  }

  /** Resumes what there is room for. */
  #advance(session: Session): void {
    const { outbox, subscriptions, receipts } = this.#options;
    const waiting = session.socket?.getBufferedAmount() ?? 0;
    if (waiting > 0) outbox.buffered.add(session);
    else {
      outbox.buffered.delete(session);
      session.flow.sample(0);
    }
    if (!session.isSuspended) {
      subscriptions.recoveries.drained(session);
      if (hasPausedStates(session) && receipts.hasRoom(session)) this.#resumeStates(session);
      // Otherwise at the next sample, drain or pong.
      else if (hasPausedStates(session)) outbox.buffered.add(session);
    } else if (waiting > this.#lowWaterBytes) return;
    // Close only now: a close frame is subject to the same limit as any message.
    else if (session.flow.circuit.opens >= this.#options.circuit.opensMax) this.#options.close(session);
    else this.#resume(session);
  }

  /** Suspends the sockets that dropped something. Must run before the next turn publishes. */
  settle(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const session of pending) {
      const turn = session.flow.takeDrop();
      if (session.socket === undefined) continue;
      this.#suspend(session, turn);
      this.#options.outbox.buffered.add(session);
      // It may have drained since; then uWS will not call `drain` again.
      this.#advance(session);
    }
  }

  /** Checks the sockets known to be buffered, those that owe an answer, and those whose circuits are not closed. */
  sample(): void {
    const { outbox, receipts, ages, total, subscriptions, nowMs } = this.#options;
    const isLate = nowMs() - this.#sampledMs > LATE_INTERVALS * SAMPLE_INTERVAL_MS;
    this.#sampledMs = nowMs();
    for (const session of new Set([...outbox.buffered, ...receipts.unanswered])) this.#sampleOne(session, isLate);
    total?.sampled();
    for (const session of [...this.#watched]) this.#watch(session);
    this.conflation.sample(session => this.#keepsUp(session));
    ages.check();
    subscriptions.recoveries.expire(nowMs());
  }

  /** Between samples: pauses the state topics of clients for which bytes pile up quickly. */
  glance(): void {
    const { outbox, receipts, slowStart } = this.#options;
    const nowMs = this.#options.nowMs();
    const isLate = nowMs - this.#glancedMs > LATE_INTERVALS * GLANCE_INTERVAL_MS;
    this.#glancedMs = nowMs;
    for (const session of slowStart.glance()) if (!isLate) this.conflation.pause(session, undefined);
    if (outbox.buffered.size + receipts.unanswered.size === 0) return;
    for (const session of new Set([...outbox.buffered, ...receipts.unanswered])) {
      const waiting = session.socket?.getBufferedAmount() ?? 0;
      const isStuck = session.flow.glance(waiting);
      const isPiledUp = isStuck && waiting > this.#lowWaterBytes * PILED_UP_SHARE;
      if (isLate || session.isSuspended || !isPiledUp) continue;
      if (receipts.ageMs(session) >= PILED_UP_LATE_MS) this.conflation.pause(session, undefined);
    }
  }

  #sampleOne(session: Session, isLate: boolean): void {
    const { receipts } = this.#options;
    const waiting = session.socket?.getBufferedAmount() ?? 0;
    // A large snapshot in flight shrinks from sample to sample; a buffer that does not shrink means the socket does
    // not read.
    const { sampledBytes } = session.flow;
    const isStuck = sampledBytes > 0 && waiting >= sampledBytes;
    if (waiting < sampledBytes) receipts.progressed(session);
    session.flow.sample(waiting);
    const stuckMs = session.flow.stuckForMs(isStuck, this.#options.nowMs());
    const ageMs = isLate ? 0 : receipts.ageMs(session);
    if (session.isSuspended || !this.#escalate(session, waiting, isStuck ? stuckMs : undefined, ageMs))
      this.#advance(session);
    if (waiting > 0 || session.receipt.unanswered > 0) receipts.probeEvery(session, SAMPLE_INTERVAL_MS);
  }

  #keepsUp(session: Session): boolean {
    const { receipts, maxAgeMs } = this.#options;
    const waiting = session.socket?.getBufferedAmount() ?? 0;
    return waiting <= this.#lowWaterBytes && receipts.ageMs(session) < maxAgeMs * LATE_SHARE;
  }

  closed(session: Session): void {
    this.conflation.closed(session);
    this.#options.receipts.closed(session);
    this.#options.ages.closed(session);
    this.#options.slowStart.closed(session);
    this.#options.outbox.buffered.delete(session);
    this.#watched.delete(session);
  }

  /**
   * @param stuckMs for how long the buffer has not shrunk; undefined: it has since the last check
   * @returns whether any action is taken
   */
  #escalate(session: Session, waiting: number, stuckMs: number | undefined, ageMs: number): boolean {
    const { maxAgeMs } = this.#options;
    const isStuck = stuckMs !== undefined;
    if (isStuck && waiting > this.#highWaterBytes && this.conflation.pause(session, 'overHighWater')) return true;
    if (ageMs >= maxAgeMs * TOO_LATE_SHARE && this.conflation.pause(session, 'late')) return true;
    const isLate = isStuck && ageMs >= maxAgeMs * LATE_SHARE;
    if (isLate && this.conflation.pause(session, undefined)) return true;
    if (!this.#readsNothing(session, isStuck) && !(isStuck && this.#isOverfull(waiting, stuckMs))) return false;
    this.#suspend(session, 0);
    return true;
  }

  /** More is buffered than a client may leave unread: at once, or for a while. */
  #isOverfull(waiting: number, stuckMs: number): boolean {
    const { burstBytes = 0 } = this.#options;
    if (waiting > this.#suspendBytes + burstBytes) return true;
    return waiting > this.#suspendBytes && stuckMs >= UNREAD_GRACE_MS;
  }

  /** Its state topics are paused, and since then it has received nothing for a while. */
  #readsNothing(session: Session, isStuck: boolean): boolean {
    if (!hasPausedStates(session) || (!isStuck && session.receipt.unanswered === 0)) return false;
    const sinceMs = Math.max(session.flow.pausedSinceMs, session.receipt.progressMs);
    return this.#options.nowMs() - sinceMs >= (isStuck ? UNREAD_GRACE_MS : UNANSWERED_GRACE_MS);
  }

  /** Resumes state topics, in a slower class if that was decided. */
  #resumeStates(session: Session): void {
    this.conflation.drained(session);
    this.conflation.tell(session);
    const { subscriptions, outbox, slowStart } = this.#options;
    slowStart.begin(session);
    const { next, isLast } = subscriptions.pausing.takeNext(session);
    subscriptions.resume(session, next);
    // The rest resume at the next sample, drain or pong.
    if (!isLast) outbox.buffered.add(session);
  }

  #watch(session: Session): void {
    const { circuit } = session.flow;
    if (circuit.isOpen) {
      // A client that receives something is not given up.
      const sinceMs = Math.max(circuit.openedAtMs, session.receipt.progressMs);
      if (this.#options.nowMs() - sinceMs >= this.#options.circuit.recoveryMs) this.#options.close(session);
      return;
    }
    const waiting = session.socket?.getBufferedAmount() ?? 0;
    if (waiting <= this.#lowWaterBytes && circuit.pass()) this.#watched.delete(session);
  }

  #suspend(session: Session, turn: number): void {
    const { circuit } = session.flow;
    if (!circuit.isOpen) {
      this.counters.stalls++;
      circuit.open(this.#options.nowMs());
      this.#watched.add(session);
      // It resumes a class slower, unless that was already decided.
      if (!hasPausedStates(session)) this.conflation.stepDownSuspended(session);
    }
    this.#options.subscriptions.pausing.pauseAll(session, turn);
  }

  #resume(session: Session): void {
    this.conflation.tell(session);
    const { subscriptions, outbox, circuit } = this.#options;
    const { next, isLast } = subscriptions.pausing.takeNext(session);
    if (isLast) {
      this.counters.resumes++;
      session.flow.circuit.halfOpen(circuit.probes);
    }
    subscriptions.resume(session, next);
    // The rest resume at the next sample or the next drain.
    if (isLast) session.flow.sample(0);
    else outbox.buffered.add(session);
  }
}
