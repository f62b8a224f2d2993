/**
 * Sockets that do not keep up. uWS drops silently once a socket's user-space buffer is over its limit, and names no topic;
 * so one drop suspends all live topics of the socket. When it has drained it gets snapshots (states) and gaps (events).
 *
 * uWS's `dropped` callback may set flags and nothing else: closing, sending or (un)subscribing in it aborts the process.
 */
import type { Outbox } from './outbox.js';
import type { Session } from './session.js';
import type { Subscriptions } from './subscriptions.js';

/** Of the backpressure limit: above the high mark a socket is suspended before it loses anything, below the low one resumed. */
const HIGH_WATER_SHARE = 0.75;
const LOW_WATER_SHARE = 0.125;
/** How often the sockets known to be buffered are looked at. */
export const SAMPLE_INTERVAL_MS = 100;

export class SlowConsumers {
  readonly counters = { dropped: 0, stalls: 0, resumes: 0 };
  readonly #subscriptions: Subscriptions;
  readonly #outbox: Outbox;
  readonly #highWaterBytes: number;
  readonly #lowWaterBytes: number;
  #pending: Session[] = [];

  constructor(subscriptions: Subscriptions, outbox: Outbox, backpressureBytesMax: number) {
    this.#subscriptions = subscriptions;
    this.#outbox = outbox;
    this.#highWaterBytes = backpressureBytesMax * HIGH_WATER_SHARE;
    this.#lowWaterBytes = backpressureBytesMax * LOW_WATER_SHARE;
  }

  /** True when `settle` has something to do. */
  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  get buffered(): number {
    return this.#outbox.buffered.size;
  }

  /** From uWS's `dropped`. @param turn the turn whose publishes are being written */
  dropped(session: Session, turn: number): void {
    this.counters.dropped++;
    if (session.droppedInTurn !== 0) return;
    session.droppedInTurn = turn;
    this.#pending.push(session);
  }

  /** From uWS's `drain`: the socket wrote something. */
  drained(session: Session): void {
    const waiting = session.socket?.getBufferedAmount() ?? 0;
    if (waiting > 0) this.#outbox.buffered.add(session);
    else this.#outbox.buffered.delete(session);
    if (session.isStalled && waiting <= this.#lowWaterBytes) this.#resume(session);
  }

  /** Suspends the sockets that dropped something. Must run before the next turn publishes. */
  settle(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const session of pending) {
      const turn = session.droppedInTurn;
      session.droppedInTurn = 0;
      if (session.socket === undefined) continue;
      this.#stall(session, turn);
      this.#outbox.buffered.add(session);
      // It may have drained since; then no `drain` will come.
      this.drained(session);
    }
  }

  /** Looks at the sockets known to be buffered. */
  sample(): void {
    for (const session of [...this.#outbox.buffered]) {
      const waiting = session.socket?.getBufferedAmount() ?? 0;
      // A large snapshot on its way shrinks from sample to sample; what does not is a socket that does not read.
      const isStuck = waiting > this.#highWaterBytes && session.sampledBytes > 0 && waiting >= session.sampledBytes;
      session.sampledBytes = waiting;
      if (isStuck && !session.isStalled) this.#stall(session, 0);
      else this.drained(session);
    }
  }

  closed(session: Session): void {
    this.#outbox.buffered.delete(session);
  }

  #stall(session: Session, turn: number): void {
    if (!session.isStalled) this.counters.stalls++;
    this.#subscriptions.stall(session, turn);
  }

  #resume(session: Session): void {
    this.counters.resumes++;
    this.#subscriptions.resume(session);
    // The rest of its topics is resumed at the next sample, or when it drains again.
    if (session.isStalled) this.#outbox.buffered.add(session);
    else session.sampledBytes = 0;
  }
}
