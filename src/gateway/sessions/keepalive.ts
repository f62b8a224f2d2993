/**
 * Pings, idle clients and credential expiry for all sockets of one worker. The gateway does this itself: uWS's own
 * idle limit ends at 960 s and hides its pings and pongs.
 *
 * There are no timers per session. One timer checks all sessions, so nothing can fire for a closed session, and a
 * deadline takes effect at the first check on or after it.
 */
import { CloseCode } from '../../protocol/close-code.js';
import type { KeepaliveState } from '../model/flow.js';

export interface KeepaliveOptions<S> {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Maximum time without a client message or pong. */
  readonly idleTimeoutMs: number;
  readonly healthCheckIntervalMs: number;
  /** How long a credential is accepted past its expiry. */
  readonly clockToleranceMs: number;
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  /** Ms since the Unix epoch. */
  readonly unixMs: () => number;
  /** The worker's open sessions. May change during a check. */
  readonly sessions: ReadonlySet<S>;
  readonly ping: (session: S) => void;
  /** Begins the close handshake. */
  readonly close: (session: S, code: CloseCode) => void;
  /** Ends a socket that has not completed its close handshake. */
  readonly terminate: (session: S) => void;
  readonly warnExpiring: (session: S) => void;
}

/** Maximum time for a socket's close handshake. */
export const CLOSE_TIMEOUT_MS = 5_000;
/**
 * A client is warned at least this long before its credential expires; for a short-lived credential, once this share
 * of its lifetime is left.
 */
const WARNING_MS = 30_000;
const WARNING_SHARE = 1 / 3;

const CHECKS_PER_TIMEOUT = 4;
const CHECK_INTERVAL_MIN_MS = 50;
/**
 * Credentials expire on whole seconds, so check at least that often however long the timeouts are: 0.05 ms for 10,000
 * sessions.
 */
const CHECK_INTERVAL_MAX_MS = 1_000;
/** A check this many intervals after the last one means the thread was blocked: pongs may be waiting unread. */
const LATE_INTERVALS = 4;
/**
 * Maximum pings a check, as a multiple of an even spread, so that clients that connected all at once are not pinged
 * all at once. A small minimum, which takes negligible time, always applies.
 */
const PING_BURST = 2;
const PINGS_PER_CHECK_MIN = 100;

export class Keepalive<S extends { readonly keepalive: KeepaliveState }> {
  readonly counters = { pings: 0 };
  /** How often to call `check`. */
  readonly checkIntervalMs: number;
  readonly #options: KeepaliveOptions<S>;
  #checkedAtMs: number;
  #wasLate = false;
  /** Pings left in this check. */
  #pingsLeft = 0;

  constructor(options: KeepaliveOptions<S>) {
    this.#options = options;
    const { healthCheckIntervalMs, pingIntervalMs, pongTimeoutMs, idleTimeoutMs } = options;
    const shortestMs = Math.min(pingIntervalMs, pongTimeoutMs, idleTimeoutMs);
    const intervalMs = Math.min(healthCheckIntervalMs, shortestMs / CHECKS_PER_TIMEOUT);
    this.checkIntervalMs = Math.min(CHECK_INTERVAL_MAX_MS, Math.max(CHECK_INTERVAL_MIN_MS, intervalMs));
    this.#checkedAtMs = options.nowMs();
  }

  /** The initial state of a session whose credential expires at `expiresAtMs` (Unix). */
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

  /** The session has a new credential. If its expiry is unchanged, the client is not warned again. */
  renewed({ keepalive }: S, expiresAtMs: number): void {
    if (keepalive.expiresAtMs === expiresAtMs) return;
    keepalive.expiresAtMs = expiresAtMs;
    keepalive.warnAtMs = this.#warnAtMs(expiresAtMs);
  }

  /** A message arrived. It does not answer a ping. */
  received({ keepalive }: S, nowMs: number): void {
    keepalive.lastSeenMs = nowMs;
  }

  /** A pong arrived, for any ping. */
  ponged({ keepalive }: S): void {
    keepalive.lastSeenMs = this.#options.nowMs();
    keepalive.pingedAtMs = 0;
  }

  /** The gateway closes the session for another reason; from now on only the close timeout is checked. */
  closing({ keepalive }: S): void {
    if (keepalive.closingAtMs === 0) keepalive.closingAtMs = this.#options.nowMs();
  }

  /** Does what is due for each session; O(sessions). */
  check(): void {
    const { sessions, pingIntervalMs } = this.#options;
    const nowMs = this.#options.nowMs();
    const unixMs = this.#options.unixMs();
    const isLate = nowMs - this.#checkedAtMs > LATE_INTERVALS * this.checkIntervalMs;
    // Skip only one check for silence, not every check while the thread is overloaded.
    const checksSilence = !isLate || this.#wasLate;
    this.#wasLate = isLate;
    this.#checkedAtMs = nowMs;
    const share = (sessions.size * this.checkIntervalMs) / pingIntervalMs;
    this.#pingsLeft = Math.max(PINGS_PER_CHECK_MIN, Math.ceil(PING_BURST * share));
    for (const session of sessions) {
      if (session.keepalive.closingAtMs > 0) this.#awaitClose(session, nowMs);
      else if (!this.#ended(session, nowMs, unixMs, checksSilence)) this.#maintain(session, nowMs, unixMs);
    }
  }

  #awaitClose(session: S, nowMs: number): void {
    if (nowMs - session.keepalive.closingAtMs < CLOSE_TIMEOUT_MS) return;
    session.keepalive.closingAtMs = nowMs;
    this.#options.terminate(session);
  }

  /** Closes the session when its credential has expired or its client is silent. */
  #ended(session: S, nowMs: number, unixMs: number, checksSilence: boolean): boolean {
    const { clockToleranceMs, pongTimeoutMs, idleTimeoutMs } = this.#options;
    const { expiresAtMs, pingedAtMs, lastSeenMs } = session.keepalive;
    const isExpired = unixMs >= expiresAtMs + clockToleranceMs;
    const isUnanswered = pingedAtMs > 0 && nowMs - pingedAtMs >= pongTimeoutMs;
    const isIdle = nowMs - lastSeenMs >= idleTimeoutMs;
    if (!isExpired && !(checksSilence && (isUnanswered || isIdle))) return false;
    session.keepalive.closingAtMs = nowMs;
    this.#options.close(session, isExpired ? CloseCode.tokenExpired : CloseCode.idle);
    return true;
  }

  #maintain(session: S, nowMs: number, unixMs: number): void {
    const { keepalive } = session;
    const { sessions, pingIntervalMs } = this.#options;
    if (unixMs >= keepalive.warnAtMs) {
      keepalive.warnAtMs = Number.POSITIVE_INFINITY;
      this.#options.warnExpiring(session);
      // Sending the warning may have overflowed the socket and closed the session.
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
    // One check early: the first check past that time must not be too late.
    return expiresAtMs - Math.min(WARNING_MS, lifeMs * WARNING_SHARE) - this.checkIntervalMs;
  }
}
