/**
 * Pings, silence and the end of credentials for all sockets of one worker, kept by the gateway: uWS's own idle limit ends at
 * 960 s, and its pings and pongs are not seen.
 *
 * There are no timers per session. One sweep looks at all of them, so nothing can fire for a session that is gone, and a
 * deadline is met at the first sweep that is not before it.
 */
import { CloseCode } from '../../protocol/close-code.js';
import type { KeepaliveState } from '../model/flow.js';

export interface KeepaliveOptions<S> {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Without a client message or a pong. */
  readonly idleTimeoutMs: number;
  readonly healthCheckIntervalMs: number;
  /** How long a credential is good beyond its end. */
  readonly clockToleranceMs: number;
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  /** Ms since the Unix epoch. */
  readonly unixMs: () => number;
  /** The worker's open sessions. May change while a sweep walks it. */
  readonly sessions: ReadonlySet<S>;
  readonly ping: (session: S) => void;
  /** Begins the close handshake. */
  readonly close: (session: S, code: CloseCode) => void;
  /** Ends a socket whose close was begun and did not come to its end. */
  readonly terminate: (session: S) => void;
  readonly warnExpiring: (session: S) => void;
}

/** How long a socket may take for its close handshake. */
export const CLOSE_TIMEOUT_MS = 5_000;
/** How long before the end of a credential its client is warned at latest; of a short one, when this share of its life is left. */
const WARNING_MS = 30_000;
const WARNING_SHARE = 1 / 3;

const SWEEPS_PER_TIMEOUT = 4;
const SWEEP_INTERVAL_MIN_MS = 50;
/** Credentials end to the second, so the sweep is no slower, however long the timeouts are: 0.05 ms for 10 000 sessions. */
const SWEEP_INTERVAL_MAX_MS = 1_000;
/** A sweep that comes this many intervals after the last one: the thread stood still, and answers may be waiting unread. */
const LATE_INTERVALS = 4;
/**
 * Of the share of pings that an even spread would give a sweep: twice as many go out at most, so that clients which came all
 * at once are not pinged all at once; and always as many as take no time worth speaking of.
 */
const PING_BURST = 2;
const PINGS_PER_SWEEP_MIN = 100;

export class Keepalive<S extends { readonly keepalive: KeepaliveState }> {
  readonly counters = { pings: 0, pongTimeouts: 0, idle: 0, expired: 0, terminated: 0 };
  /** How often `sweep` is to be called. */
  readonly sweepIntervalMs: number;
  readonly #options: KeepaliveOptions<S>;
  #sweptAtMs: number;
  #wasLate = false;
  /** What is left of this sweep's pings. */
  #pingsLeft = 0;

  constructor(options: KeepaliveOptions<S>) {
    this.#options = options;
    const { healthCheckIntervalMs, pingIntervalMs, pongTimeoutMs, idleTimeoutMs } = options;
    const shortestMs = Math.min(pingIntervalMs, pongTimeoutMs, idleTimeoutMs);
    const intervalMs = Math.min(healthCheckIntervalMs, shortestMs / SWEEPS_PER_TIMEOUT);
    this.sweepIntervalMs = Math.min(SWEEP_INTERVAL_MAX_MS, Math.max(SWEEP_INTERVAL_MIN_MS, intervalMs));
    this.#sweptAtMs = options.nowMs();
  }

  /** The state of a session that opens now with a credential that ends at `expiresAtMs` (Unix). */
  open(expiresAtMs: number): KeepaliveState {
    const nowMs = this.#options.nowMs();
    return {
      lastSeenMs: nowMs,
      lastPingMs: nowMs,
      pingedAtMs: 0,
      closingAtMs: 0,
      expiresAtMs,
      warnAtMs: this.#warnAtMs(expiresAtMs),
    };
  }

  /** The session has a new credential. One with the same end is not warned of again. */
  renewed({ keepalive }: S, expiresAtMs: number): void {
    if (keepalive.expiresAtMs === expiresAtMs) return;
    keepalive.expiresAtMs = expiresAtMs;
    keepalive.warnAtMs = this.#warnAtMs(expiresAtMs);
  }

  /** A message came. It does not answer a ping. */
  received({ keepalive }: S, nowMs: number): void {
    keepalive.lastSeenMs = nowMs;
  }

  /** A pong came, to whichever ping. */
  ponged({ keepalive }: S): void {
    keepalive.lastSeenMs = this.#options.nowMs();
    keepalive.pingedAtMs = 0;
  }

  /** The gateway closes the session for another reason; from now on only the end of the close is watched. */
  closing({ keepalive }: S): void {
    if (keepalive.closingAtMs === 0) keepalive.closingAtMs = this.#options.nowMs();
  }

  /** Does what is due for each session; O(sessions). */
  sweep(): void {
    const { sessions, pingIntervalMs } = this.#options;
    const nowMs = this.#options.nowMs();
    const unixMs = this.#options.unixMs();
    const isLate = nowMs - this.#sweptAtMs > LATE_INTERVALS * this.sweepIntervalMs;
    // Once, not for as long as the thread is overloaded.
    const judgesSilence = !isLate || this.#wasLate;
    this.#wasLate = isLate;
    this.#sweptAtMs = nowMs;
    const share = (sessions.size * this.sweepIntervalMs) / pingIntervalMs;
    this.#pingsLeft = Math.max(PINGS_PER_SWEEP_MIN, Math.ceil(PING_BURST * share));
    for (const session of sessions) {
      if (session.keepalive.closingAtMs > 0) this.#awaitClose(session, nowMs);
      else if (!this.#ended(session, nowMs, unixMs, judgesSilence)) this.#tend(session, nowMs, unixMs);
    }
  }

  #awaitClose(session: S, nowMs: number): void {
    if (nowMs - session.keepalive.closingAtMs < CLOSE_TIMEOUT_MS) return;
    session.keepalive.closingAtMs = nowMs;
    this.counters.terminated++;
    this.#options.terminate(session);
  }

  /** Closes the session when its credential has ended or its client is silent. */
  #ended(session: S, nowMs: number, unixMs: number, judgesSilence: boolean): boolean {
    const { clockToleranceMs, pongTimeoutMs, idleTimeoutMs } = this.#options;
    const { expiresAtMs, pingedAtMs, lastSeenMs } = session.keepalive;
    let code: CloseCode = CloseCode.idle;
    if (unixMs >= expiresAtMs + clockToleranceMs) {
      code = CloseCode.tokenExpired;
      this.counters.expired++;
    } else if (judgesSilence && pingedAtMs > 0 && nowMs - pingedAtMs >= pongTimeoutMs) {
      this.counters.pongTimeouts++;
    } else if (judgesSilence && nowMs - lastSeenMs >= idleTimeoutMs) {
      this.counters.idle++;
    } else {
      return false;
    }
    session.keepalive.closingAtMs = nowMs;
    this.#options.close(session, code);
    return true;
  }

  #tend(session: S, nowMs: number, unixMs: number): void {
    const { keepalive } = session;
    const { sessions, pingIntervalMs } = this.#options;
    if (unixMs >= keepalive.warnAtMs) {
      keepalive.warnAtMs = Number.POSITIVE_INFINITY;
      this.#options.warnExpiring(session);
      // The warning may have been more than its socket could take.
      if (!sessions.has(session) || keepalive.closingAtMs > 0) return;
    }
    if (this.#pingsLeft === 0 || nowMs - keepalive.lastPingMs < pingIntervalMs) return;
    this.#pingsLeft--;
    this.counters.pings++;
    keepalive.lastPingMs = nowMs;
    if (keepalive.pingedAtMs === 0) keepalive.pingedAtMs = nowMs;
    this.#options.ping(session);
  }

  #warnAtMs(expiresAtMs: number): number {
    const lifeMs = expiresAtMs - this.#options.unixMs();
    // A sweep earlier: the first one behind that time must not come too late.
    return expiresAtMs - Math.min(WARNING_MS, lifeMs * WARNING_SHARE) - this.sweepIntervalMs;
  }
}
