/**
 * Credentials of tokens that were verified lately, so that clients that all reconnect at once cost no signatures.
 * A refusal is not remembered: an attacker must not be able to push good tokens out.
 */
import { BoundedMap } from '../protocol/bounded-map.js';
import type { Credential } from './credential.js';

/** Tokens remembered at once; when full, the one that was used longest ago is forgotten. */
export const TOKEN_CACHE_ENTRIES_MAX = 1_024;
/**
 * A token is verified again after this time. A key withdrawn from a key set stops counting after it and `KEY_SET_AGE_MAX_MS`
 * together, ten minutes, at the latest.
 */
export const TOKEN_CACHE_AGE_MAX_MS = 5 * 60_000;

interface Entry {
  readonly credential: Credential;
  /** Ms since the Unix epoch. */
  readonly expiresAtMs: number;
  /** Of the monotonic clock. */
  readonly oldAtMs: number;
}

export class TokenCache {
  readonly #toleranceMs: number;
  /** In order of use, the least recent first: a Map keeps the order of insertion. */
  readonly #entries = new BoundedMap<string, Entry>(TOKEN_CACHE_ENTRIES_MAX);

  /** @param toleranceMs how long a token is accepted after its expiry. */
  constructor(toleranceMs: number) {
    this.#toleranceMs = toleranceMs;
  }

  get size(): number {
    return this.#entries.size;
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
