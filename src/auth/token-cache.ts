/**
 * Caches the credentials of recently verified tokens, so that mass reconnects cost no signature checks.
 * Refusals are not cached: an attacker must not be able to evict good tokens.
 */
import { BoundedMap } from '../protocol/bounded-map.js';
import type { Credential } from './credential.js';

/** Most tokens cached; when full, the least recently used one is dropped. */
export const TOKEN_CACHE_ENTRIES_MAX = 1_024;
/** A token is verified again after this time, and as soon as the keys change. */
export const TOKEN_CACHE_AGE_MAX_MS = 5 * 60_000;

interface Entry {
  readonly credential: Credential;
  /** Ms since the Unix epoch. */
  readonly expiresAtMs: number;
  /** By the monotonic clock. */
  readonly oldAtMs: number;
}

export class TokenCache {
  readonly #toleranceMs: number;
  /** Least recently used first: a Map keeps the order of insertion. */
  readonly #entries = new BoundedMap<string, Entry>(TOKEN_CACHE_ENTRIES_MAX);

  /** @param toleranceMs how long a token is accepted after its expiry. */
  constructor(toleranceMs: number) {
    this.#toleranceMs = toleranceMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Forgets all: another key may count now. */
  clear(): void {
    this.#entries.clear();
  }

  /** @param nowMs ms since the Unix epoch. @param monotonicMs of a clock that is never set: ages are intervals. */
  get(token: string, nowMs: number, monotonicMs: number): Credential | undefined {
    const entry = this.#entries.get(token);
    if (entry === undefined) return undefined;
    if (nowMs >= entry.expiresAtMs || monotonicMs >= entry.oldAtMs) {
      this.#entries.delete(token);
      return undefined;
    }
    this.#entries.set(token, entry);
    return entry.credential;
  }

  set(token: string, credential: Credential, monotonicMs: number): void {
    const expiresAtMs = credential.expiresAtMs + this.#toleranceMs;
    const oldAtMs = monotonicMs + TOKEN_CACHE_AGE_MAX_MS;
    this.#entries.set(token, { credential, expiresAtMs, oldAtMs });
  }
}
