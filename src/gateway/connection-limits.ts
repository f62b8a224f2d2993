/** How many connections there may be, in all, from one address and of one user; and how fast they may come. */
import type { LimitsConfig } from '../config/limits.js';
import type { GatewayThreadData } from '../protocol/thread-messages.js';
import { AttemptRates } from './attempt-rates.js';
import { FailedCredentials } from './failed-credentials.js';
import { type Refusal, refusal } from './request.js';
import { SharedCounts } from './shared-counts.js';

const RETRY_AFTER_SECONDS = 5;

/** A limit that a connection was refused for; a metric label. */
export type ConnectionLimit = 'connections' | 'address' | 'user' | 'rate' | 'credentials' | 'overload';

export class ConnectionLimits {
  /** Refusals by limit. */
  readonly refused: Record<ConnectionLimit, number> = {
    connections: 0,
    address: 0,
    user: 0,
    rate: 0,
    credentials: 0,
    overload: 0,
  };
  readonly #limits: LimitsConfig;
  /** Connections of each worker. */
  readonly #connections: Int32Array;
  readonly #worker: number;
  readonly #addresses: SharedCounts;
  readonly #users: SharedCounts;
  readonly #attempts: AttemptRates;
  readonly #failures: FailedCredentials;

  constructor(limits: LimitsConfig, { worker, connections, addresses, users, attempts, failures }: GatewayThreadData) {
    this.#limits = limits;
    this.#worker = worker;
    this.#connections = new Int32Array(connections);
    this.#addresses = new SharedCounts(addresses, worker);
    this.#users = new SharedCounts(users, worker);
    this.#attempts = new AttemptRates(attempts, worker, limits.attemptsPerSecondMax);
    this.#failures = new FailedCredentials(failures, worker, limits.authFailuresMax);
  }

  /** Counts an attempt to connect, whatever becomes of it. */
  attempt(address: string, nowMs: number): Refusal | undefined {
    if (this.#attempts.attempt(address, nowMs)) return undefined;
    this.refused.rate++;
    const message = `at most ${this.#limits.attemptsPerSecondMax} attempts a second from one address`;
    return tooMany(message, this.#attempts.retryAfterSeconds);
  }

  /** Says whether a credential from this address is looked at now; where too many were refused, it has to wait. */
  mayTry(address: string, nowMs: number): Refusal | undefined {
    const waitMs = this.#failures.waitMs(address, nowMs);
    if (waitMs <= 0) return undefined;
    this.refused.credentials++;
    return tooMany('too many credentials from this address were refused', Math.ceil(waitMs / 1000));
  }

  /** A credential from this address was no good. */
  tryFailed(address: string, nowMs: number): void {
    this.#failures.failed(address, nowMs);
  }

  /** Takes a place for a connection, to be given back by `leave`; or says why there is none. @param user '' for nobody */
  enter(address: string, user: string): Refusal | undefined {
    const { connectionsMax, connectionsPerAddressMax, connectionsPerUserMax } = this.#limits;
    Atomics.add(this.#connections, this.#worker, 1);
    if (this.#total() > connectionsMax) {
      Atomics.sub(this.#connections, this.#worker, 1);
      this.refused.connections++;
      const full = refusal(503, 'unavailable', `at most ${connectionsMax} connections`);
      return { ...full, retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
    const fromAddress = this.#addresses.add(address);
    if (fromAddress > connectionsPerAddressMax) {
      // A full table has counted nothing.
      if (Number.isFinite(fromAddress)) this.#addresses.remove(address);
      Atomics.sub(this.#connections, this.#worker, 1);
      this.refused.address++;
      return tooMany(`at most ${connectionsPerAddressMax} connections from one address`, RETRY_AFTER_SECONDS);
    }
    const ofUser = user === '' ? 0 : this.#users.add(user);
    if (ofUser <= connectionsPerUserMax) return undefined;
    if (Number.isFinite(ofUser)) this.#users.remove(user);
    this.#addresses.remove(address);
    Atomics.sub(this.#connections, this.#worker, 1);
    this.refused.user++;
    return tooMany(`at most ${connectionsPerUserMax} connections of one user`, RETRY_AFTER_SECONDS);
  }

  leave(address: string, user: string): void {
    Atomics.sub(this.#connections, this.#worker, 1);
    this.#addresses.remove(address);
    if (user !== '') this.#users.remove(user);
  }

  /** The connection is another user's from here on; false when that one has too many. */
  changeUser(from: string, to: string): boolean {
    if (from === to) return true;
    const ofUser = to === '' ? 0 : this.#users.add(to);
    if (ofUser > this.#limits.connectionsPerUserMax) {
      if (Number.isFinite(ofUser)) this.#users.remove(to);
      this.refused.user++;
      return false;
    }
    if (from !== '') this.#users.remove(from);
    return true;
  }

  #total(): number {
    let total = 0;
    for (let i = 0; i < this.#connections.length; i++) total += Atomics.load(this.#connections, i);
    return total;
  }
}

function tooMany(message: string, retryAfterSeconds: number): Refusal {
  return { ...refusal(429, 'rate_limited', message), retryAfterSeconds };
}
