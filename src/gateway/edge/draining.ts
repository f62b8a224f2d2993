/** Redirects clients a few at a time, each with its own reconnect delay, so that they do not all reconnect at once. */
import type { Session } from '../model/session.js';

/**
 * Maximum redirects per second; below it, no spreading is needed. Half of WS_CONNECT_RATE_PER_IP's default, so that
 * all clients can reconnect from one address. A lower setting lowers this too.
 */
const CLOSES_PER_SECOND_MAX = 100;
/** Maximum reconnect delay of a client when the closes themselves are spread. */
export const RECONNECT_JITTER_MS = 1_000;

interface DrainingOptions {
  /** Time limit for the whole drain: DRAIN_TIMEOUT. */
  readonly withinMs: number;
  /** For all workers together: WS_CONNECT_RATE_PER_IP. */
  readonly attemptsPerSecondMax: number;
  readonly workers: number;
  readonly nowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Tells the client and ends its connection. */
  readonly redirect: (session: Session, reconnectAfterMs: number) => void;
}

export class Draining {
  readonly #options: DrainingOptions;
  /** Sessions from `#next` on are still connected. */
  readonly #order: Session[] = [];
  #next = 0;
  #startedMs = 0;
  #spanMs = 0;

  constructor(options: DrainingOptions) {
    this.#options = options;
  }

  /** True once every session has been redirected. */
  get isOver(): boolean {
    return this.#next === this.#order.length;
  }

  /** Starts draining these sessions in random order. Each is served normally until its turn. */
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

  /** Adds a session that connected after the drain began; it goes last. */
  add(session: Session): void {
    this.#order.push(session);
  }

  /** Redirects the sessions that are due. */
  redirectDue(): void {
    const { nowMs, random, redirect } = this.#options;
    const share = this.#spanMs === 0 ? 1 : Math.min(1, (nowMs() - this.#startedMs) / this.#spanMs);
    const due = Math.ceil(this.#order.length * share);
    for (; this.#next < due; this.#next++) {
      redirect(this.#order[this.#next] as Session, Math.floor(random() * RECONNECT_JITTER_MS));
    }
  }

  /**
   * Redirects all remaining sessions now. Since the closes are not spread, it spreads the reconnects over
   * DRAIN_TIMEOUT.
   */
  redirectAll(): void {
    const { random, redirect, withinMs } = this.#options;
    for (; this.#next < this.#order.length; this.#next++) {
      redirect(this.#order[this.#next] as Session, Math.floor(random() * withinMs));
    }
  }
}
