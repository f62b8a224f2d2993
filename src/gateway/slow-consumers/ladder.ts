/**
 * The ladder for slow consumers, rung by rung. Over the high-water mark, a socket's state topics stop, and resume in a
 * slower class once it has drained (conflation.ts). If the socket still reads nothing, or uWS drops something, all its
 * topics are suspended: uWS drops silently once a socket's user-space buffer exceeds its limit, and does not say which
 * topic. After draining, the socket gets snapshots for state topics, a class slower, and gaps for event topics.
 *
 * Each socket has a circuit: closed; open, with its topics suspended; or half open, from draining until it has kept up
 * for several consecutive checks. A circuit that opens too often or stays open too long closes the connection with
 * 4008. Over uWS's limit no close frame can be sent, so a client that reads nothing at all sees 1006.
 *
 * uWS's `dropped` callback may only set flags: closing, sending or (un)subscribing in it aborts the process.
 */
import type { CircuitConfig } from '../../config/limits.js';
import { isSteppingDown, type Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import type { BufferedTotal } from './buffered-total.js';
import { Conflation } from './conflation.js';

/**
 * Shares of the backpressure limit. Above the high mark, state topics move to a slower class; above the next one, all
 * topics are suspended before uWS drops anything; below the low one, they resume.
 */
const HIGH_WATER_SHARE = 0.5;
const SUSPEND_SHARE = 0.75;
const LOW_WATER_SHARE = 0.125;
/** A socket that reads nothing for this long after its state topics stop is suspended, however little is buffered. */
const STEP_DOWN_GRACE_MS = 1_000;
/** How often to check the sockets known to be buffered. */
export const SAMPLE_INTERVAL_MS = 100;

export interface LadderOptions {
  readonly subscriptions: Subscriptions;
  readonly outbox: Outbox;
  readonly backpressureBytesMax: number;
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

  constructor(options: LadderOptions) {
    this.#options = options;
    this.#highWaterBytes = options.backpressureBytesMax * HIGH_WATER_SHARE;
    this.#suspendBytes = options.backpressureBytesMax * SUSPEND_SHARE;
    const { restoreAfterMs } = options.circuit;
    this.conflation = new Conflation({ ...options, restoreAfterMs });
    this.#lowWaterBytes = options.backpressureBytesMax * LOW_WATER_SHARE;
  }

  /** True when `settle` has something to do. */
  get hasPending(): boolean {
    return this.#pending.length > 0;
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
    const { outbox, subscriptions } = this.#options;
    const waiting = session.socket?.getBufferedAmount() ?? 0;
    if (waiting > 0) outbox.buffered.add(session);
    else {
      outbox.buffered.delete(session);
      session.flow.sample(0);
    }
    if (!session.isSuspended) {
      subscriptions.recoveries.drained(session);
      if (isSteppingDown(session) && waiting <= this.#lowWaterBytes) this.#resumeStates(session);
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
      this.drained(session);
    }
  }

  /** Checks the sockets known to be buffered and those whose circuits are not closed. */
  sample(): void {
    for (const session of [...this.#options.outbox.buffered]) {
      const waiting = session.socket?.getBufferedAmount() ?? 0;
      // A large snapshot in flight shrinks from sample to sample; a buffer that does not shrink means the socket does
      // not read.
      const { sampledBytes } = session.flow;
      const isStuck = sampledBytes > 0 && waiting >= sampledBytes;
      session.flow.sample(waiting);
      if (session.isSuspended || !isStuck || !this.#escalate(session, waiting)) this.drained(session);
    }
    this.#options.total?.sampled();
    for (const session of [...this.#watched]) this.#watch(session);
    this.conflation.sample(this.#lowWaterBytes);
    this.#options.subscriptions.recoveries.expire(this.#options.nowMs());
  }

  closed(session: Session): void {
    this.conflation.closed(session);
    this.#options.outbox.buffered.delete(session);
    this.#watched.delete(session);
  }

  /** The buffer has not shrunk since the last check. False when no action is taken. */
  #escalate(session: Session, waiting: number): boolean {
    const isLong =
      isSteppingDown(session) && this.#options.nowMs() - session.conflation.steppingDownSinceMs >= STEP_DOWN_GRACE_MS;
    if (!isLong && waiting <= this.#highWaterBytes) return false;
    if (!isSteppingDown(session) && this.conflation.stepDown(session)) return true;
    if (!isLong && waiting <= this.#suspendBytes) return false;
    this.#suspend(session, 0);
    return true;
  }

  /** Resumes state topics in a slower class. */
  #resumeStates(session: Session): void {
    this.conflation.tell(session);
    const { subscriptions, outbox } = this.#options;
    const { next, isLast } = subscriptions.pausing.takeNext(session);
    subscriptions.resume(session, next);
    if (isLast) this.conflation.steppedDown(session);
    // The rest resume at the next sample or the next drain.
    else outbox.buffered.add(session);
  }

  #watch(session: Session): void {
    const { circuit } = session.flow;
    if (circuit.isOpen) {
      if (this.#options.nowMs() - circuit.openedAtMs >= this.#options.circuit.recoveryMs) this.#options.close(session);
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
      // It resumes a class slower, unless it was already stepping down.
      if (!isSteppingDown(session)) this.conflation.slowDown(session);
    }
    this.conflation.steppedDown(session);
    this.#options.subscriptions.pausing.pauseAll(session, turn);
  }

  #resume(session: Session): void {
    this.counters.resumes++;
    this.conflation.tell(session);
    const { subscriptions, outbox, circuit } = this.#options;
    const { next, isLast } = subscriptions.pausing.takeNext(session);
    if (isLast) session.flow.circuit.halfOpen(circuit.probes);
    subscriptions.resume(session, next);
    // The rest resume at the next sample or the next drain.
    if (isLast) session.flow.sample(0);
    else outbox.buffered.add(session);
  }
}
