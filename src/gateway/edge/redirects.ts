/** Sends clients elsewhere: when the gateway drains, leaves its port to others, ends, or gets a new certificate. */
import type { Config } from '../../config/environment.js';
import type { Session } from '../model/session.js';
import { Draining } from './draining.js';
import type { Apps } from './listener.js';

/** Interval of redirects. */
const REDIRECT_INTERVAL_MS = 20;
/** How long a socket accepted before the port was released has to send its request. */
const UNDECIDED_MAX_MS = 2_000;

interface RedirectsParts {
  readonly apps: Apps;
  readonly config: Config;
  /** Open sessions. */
  readonly sessions: ReadonlySet<Session>;
  /** Refuses new connections. */
  readonly refuseNew: () => void;
  /** Tells the client and ends its connection. */
  readonly redirect: (session: Session, reconnectAfterMs: number) => void;
}

export class Redirects {
  readonly #parts: RedirectsParts;
  /** All clients are redirected. */
  #draining: Draining | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasRedirected = false;

  constructor(parts: RedirectsParts) {
    this.#parts = parts;
  }

  /** A client connected, even though all are redirected: it is redirected last. */
  opened(session: Session): void {
    this.#draining?.add(session);
  }

  /** Refuses new connections and redirects existing ones gradually, within DRAIN_TIMEOUT. */
  drain(): void {
    this.#parts.refuseNew();
    this.#redirectAll();
  }

  /**
   * Frees the port for others and redirects clients as `drain` does. A client that connected before the port was freed
   * is still served, since no other process can serve it, and is redirected last.
   * @param onEmpty called when no sessions are left
   */
  async retire(onEmpty: () => void): Promise<void> {
    const { apps, refuseNew } = this.#parts;
    await apps.leavePort();
    const leftMs = performance.now();
    const draining = this.#redirectAll();
    const poll = setInterval(() => {
      const isLate = performance.now() - leftMs > UNDECIDED_MAX_MS;
      if (isLate) refuseNew();
      if (!draining.isOver || (apps.undecided > 0 && !isLate)) return;
      clearInterval(poll);
      onEmpty();
    }, REDIRECT_INTERVAL_MS);
  }

  /** Frees the port, refuses new connections and ends existing ones now. @returns whether there were any */
  leave(): boolean {
    this.#parts.apps.closePort();
    this.#parts.refuseNew();
    clearInterval(this.#timer);
    const draining = this.#draining ?? this.#newDraining(this.#parts.sessions);
    draining.redirectAll();
    return this.#hasRedirected;
  }

  /**
   * Serves new connections with the certificate files as they are now.
   * @throws {Error} when they are unusable; the current one stays
   */
  renewCertificate(): void {
    const superfluous = this.#parts.apps.renewCertificate();
    if (superfluous.length === 0) return;
    const draining = this.#newDraining(superfluous);
    const timer = setInterval(() => {
      draining.redirectDue();
      if (draining.isOver) clearInterval(timer);
    }, REDIRECT_INTERVAL_MS);
  }

  #redirectAll(): Draining {
    if (this.#draining !== undefined) return this.#draining;
    const draining = this.#newDraining(this.#parts.sessions);
    this.#draining = draining;
    draining.redirectDue();
    this.#timer = setInterval(() => draining.redirectDue(), REDIRECT_INTERVAL_MS);
    return draining;
  }

  #newDraining(sessions: Iterable<Session>): Draining {
    const { config, redirect } = this.#parts;
    const draining = new Draining({
      withinMs: config.times.drainTimeoutMs,
      attemptsPerSecondMax: config.limits.attemptsPerSecondMax,
      workers: config.workers,
      nowMs: () => performance.now(),
      random: Math.random,
      redirect: (session, reconnectAfterMs) => {
        if (session.socket === undefined) return;
        this.#hasRedirected = true;
        redirect(session, reconnectAfterMs);
      },
    });
    draining.begin(sessions);
    return draining;
  }
}
