/** Sends clients elsewhere: a few at a time, each told for itself when to come back, so that the rest is no storm. */
import type { Session } from '../model/session.js';

/**
 * Fewer than this a second need no spreading. Half of WS_CONNECT_RATE_PER_IP's default, so that the clients may all come
 * back from one address; where that is set lower, this is lower too.
 */
const CLOSES_PER_SECOND_MAX = 100;
/** How long a client waits before it comes back, at most, when the closes themselves are spread. */
export const RECONNECT_JITTER_MS = 1_000;

export interface DeparturesOptions {
  /** Longest that all of it may take: DRAIN_TIMEOUT. */
  readonly withinMs: number;
  /** Of all workers together: WS_CONNECT_RATE_PER_IP. */
  readonly attemptsPerSecondMax: number;
  readonly workers: number;
  readonly nowMs: () => number;
  /** Evenly from 0 to below 1. */
  readonly random: () => number;
  /** Tells the client, and ends its connection. */
  readonly leave: (session: Session, reconnectAfterMs: number) => void;
}

export class Draining {
  readonly #options: DeparturesOptions;
  /** Those from `#next` on are still here. */
  readonly #order: Session[] = [];
  #next = 0;
  #startedMs = 0;
  #spanMs = 0;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** All who were named have been told. */
  get isOver(): boolean {
    return this.#next === this.#order.length;
  }

  /** Begins with these, in random order. They are served as before until their turn comes. */
  begin(sessions: Iterable<Session>): void {
    const { nowMs, random, withinMs, attemptsPerSecondMax, workers } = this.#options;
    this.#order.push(...sessions);
    for (let last = this.#order.length - 1; last > this.#next; last--) {
      const other = this.#next + Math.floor(random() * (last + 1 - this.#next));
      const session = this.#order[last] as Session;
      this.#order[last] = this.#order[other] as Session;
      this.#order[other] = session;
    }
    const perSecond = Math.min(CLOSES_PER_SECOND_MAX, attemptsPerSecondMax / 2) / workers;
    this.#startedMs = nowMs();
    this.#spanMs = Math.min(withinMs, (1000 * this.#order.length) / perSecond);
  }

  /** One who came after the beginning: goes last. */
  add(session: Session): void {
    this.#order.push(session);
  }

  /** Sends away those whose turn has come. */
  sweep(): void {
    const { nowMs, random, leave } = this.#options;
    const share = this.#spanMs === 0 ? 1 : Math.min(1, (nowMs() - this.#startedMs) / this.#spanMs);
    const due = Math.ceil(this.#order.length * share);
    for (; this.#next < due; this.#next++) {
      leave(this.#order[this.#next] as Session, Math.floor(random() * RECONNECT_JITTER_MS));
    }
  }

  /** Sends away all who are left, now. As the closes are not spread, the times to come back are: over DRAIN_TIMEOUT. */
  hurry(): void {
    const { random, leave, withinMs } = this.#options;
    for (; this.#next < this.#order.length; this.#next++) {
      leave(this.#order[this.#next] as Session, Math.floor(random() * withinMs));
    }
  }
}
