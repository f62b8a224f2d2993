/** Limits how many connections there may be in total, per address and per user, and how fast they may arrive. */

import type { Credential } from '../../auth/credential.js';
import type { LimitsConfig } from '../../config/limits.js';
import type { GatewayThreadData } from '../../threads/thread-messages.js';
import { type Refusal, refusal } from '../refusal.js';
import { AttemptRates } from './attempt-rates.js';
import { FailedCredentials } from './failed-credentials.js';
import { type Rank, RankCells, rankOf } from './rank.js';
import { spreadRetrySeconds } from './retry-after.js';
import { SharedCounts } from './shared-counts.js';

/** How many times its limit a user may have for a moment while connections are replaced. */
const REPLACING_FACTOR = 2;

/** The limit that refused a connection; a metric label. */
type ConnectionLimit =
  | 'connections'
  | 'anonymous'
  | 'reserved'
  | 'address'
  | 'user'
  | 'use'
  | 'rate'
  | 'credentials'
  | 'overload';

export class ConnectionLimits {
  /** Refusals by limit. */
  readonly refused: Record<ConnectionLimit, number> = {
    connections: 0,
    anonymous: 0,
    reserved: 0,
    address: 0,
    user: 0,
    use: 0,
    rate: 0,
    credentials: 0,
    overload: 0,
  };
  readonly #limits: LimitsConfig;
  readonly #connections: RankCells;
  readonly #addresses: SharedCounts;
  readonly #users: SharedCounts;
  readonly #attempts: AttemptRates;
  readonly #failures: FailedCredentials;

  constructor(limits: LimitsConfig, { worker, connections, addresses, users, attempts, failures }: GatewayThreadData) {
    this.#limits = limits;
    this.#connections = new RankCells(connections, worker);
    this.#addresses = new SharedCounts(addresses, worker);
    this.#users = new SharedCounts(users, worker);
    this.#attempts = new AttemptRates(attempts, worker, limits.attemptsPerSecondMax);
    this.#failures = new FailedCredentials(failures, worker, limits.authFailuresMax);
  }

  /** Counts a connection attempt, whatever becomes of it later. @returns the refusal of one over the rate */
  attempt(address: string, nowMs: number): Refusal | undefined {
    const waitMs = this.#attempts.attempt(address, nowMs);
    if (waitMs === 0) return undefined;
    this.refused.rate++;
    const message = `at most ${this.#limits.attemptsPerSecondMax} connection attempts per second from one address`;
    return tooMany(message, waitMs / 1000);
  }

  /**
   * Handles a wrong credential from this address.
   * @returns undefined when the failure was counted; while the address still has to wait, the refusal, and the failure
   * is not counted
   */
  wrongCredential(address: string, nowMs: number): Refusal | undefined {
    const waitMs = this.#failures.waitMs(address, nowMs);
    if (waitMs <= 0) {
      this.#failures.failed(address, nowMs);
      return undefined;
    }
    this.refused.credentials++;
    return tooMany('too many failed credentials from this address', Math.ceil(waitMs / 1000));
  }

  /** Takes a slot for a connection, until `leave`; or returns why there is none. */
  enter(address: string, credential: Credential): Refusal | undefined {
    const { connectionsPerAddressMax, connectionsPerUserMax } = this.#limits;
    const { sub: user } = credential;
    const rank = rankOf(credential);
    this.#connections.add(rank, 1);
    const full = this.#fullFor(rank);
    if (full !== undefined) {
      this.#connections.add(rank, -1);
      this.refused[full.limit]++;
      return { ...refusal(503, 'unavailable', full.message), retryAfterSeconds: spreadRetrySeconds() };
    }
    const fromAddress = this.#addresses.add(address);
    if (fromAddress > connectionsPerAddressMax) {
      // A full table has counted nothing.
      if (Number.isFinite(fromAddress)) this.#addresses.remove(address);
      this.#connections.add(rank, -1);
      this.refused.address++;
      return tooMany(`at most ${connectionsPerAddressMax} connections per address`, spreadRetrySeconds());
    }
    const ofUser = user === '' ? 0 : this.#users.add(user);
    if (ofUser <= this.#userMax) return undefined;
    if (Number.isFinite(ofUser)) this.#users.remove(user);
    this.#addresses.remove(address);
    this.#connections.add(rank, -1);
    this.refused.user++;
    return tooMany(`at most ${connectionsPerUserMax} connections per user`, spreadRetrySeconds());
  }

  /** True when the user has more connections than allowed. */
  isOverUserLimit(user: string): boolean {
    return user !== '' && this.#users.total(user) > this.#limits.connectionsPerUserMax;
  }

  leave(address: string, credential: Credential): void {
    this.#connections.add(rankOf(credential), -1);
    this.#addresses.remove(address);
    if (credential.sub !== '') this.#users.remove(credential.sub);
  }

  /** The connection changes its credential; false when the new user has too many connections. */
  change(from: Credential, to: Credential): boolean {
    if (from.sub !== to.sub) {
      const ofUser = to.sub === '' ? 0 : this.#users.add(to.sub);
      if (ofUser > this.#userMax) {
        if (Number.isFinite(ofUser)) this.#users.remove(to.sub);
        this.refused.user++;
        return false;
      }
      if (from.sub !== '') this.#users.remove(from.sub);
    }
    // It keeps its slot, whatever its rank is now.
    this.#connections.add(rankOf(to), 1);
    this.#connections.add(rankOf(from), -1);
    return true;
  }

  /** Where the newest connection replaces the oldest, both are counted until the oldest is closed. */
  get #userMax(): number {
    const { userLimitPolicy, connectionsPerUserMax } = this.#limits;
    return userLimitPolicy === 'replace-oldest' ? REPLACING_FACTOR * connectionsPerUserMax : connectionsPerUserMax;
  }

  /** The limit that a connection of this rank, already counted, exceeds. */
  #fullFor(rank: Rank): { readonly limit: ConnectionLimit; readonly message: string } | undefined {
    const { connectionsMax, anonymousMax, reservedForCredentials, reservedForInstitutional } = this.#limits;
    const anonymous = this.#connections.total('anonymous');
    const others = anonymous + this.#connections.total('retail');
    const all = others + this.#connections.total('institutional');
    if (all > connectionsMax) return { limit: 'connections', message: `at most ${connectionsMax} connections` };
    if (rank === 'institutional') return undefined;
    if (others > connectionsMax - reservedForInstitutional) {
      return { limit: 'reserved', message: 'the remaining connections are reserved for institutional users' };
    }
    if (rank === 'retail') return undefined;
    if (anonymous > anonymousMax) {
      return { limit: 'anonymous', message: `at most ${anonymousMax} connections without a credential` };
    }
    if (anonymous > connectionsMax - reservedForCredentials) {
      return { limit: 'reserved', message: 'the remaining connections are reserved for clients with a credential' };
    }
    return undefined;
  }
}

export function tooMany(message: string, retryAfterSeconds: number): Refusal {
  return { ...refusal(429, 'rate_limited', message), retryAfterSeconds };
}
