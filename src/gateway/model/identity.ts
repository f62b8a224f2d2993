/** Who a session belongs to, and what that allows: its credential and everything derived from it. */
import assert from 'node:assert/strict';
import type { Credential, Entitlements } from '../../auth/credential.js';
import { defaultClass, type Tier } from '../../protocol/view-options.js';

/** Only this class writes its fields. `auth` replaces all of them at once. */
export class Identity {
  /** The class requested by the connection; undefined: none, so it gets its tier's default. */
  readonly #askedClass: number | undefined;
  #credential: Credential;
  #entitlements: Entitlements;
  #fastestClass: number;
  #defaultClass: number;
  #userSinceMs: number;

  /** @param nowMs on the clock that all threads share (limits/shared-clock.ts) */
  constructor(credential: Credential, entitlements: Entitlements, askedClass: number | undefined, nowMs: number) {
    this.#userSinceMs = nowMs;
    this.#askedClass = askedClass;
    this.#credential = credential;
    this.#entitlements = entitlements;
    this.#fastestClass = defaultClass(credential.tier);
    this.#defaultClass = Math.max(askedClass ?? this.#fastestClass, this.#fastestClass);
  }

  get credential(): Credential {
    return this.#credential;
  }

  get entitlements(): Entitlements {
    return this.#entitlements;
  }

  get tier(): Tier {
    return this.#credential.tier;
  }

  /** The fastest class that the tier allows. */
  get fastestClass(): number {
    return this.#fastestClass;
  }

  /** The class of subscriptions that name none. */
  get defaultClass(): number {
    return this.#defaultClass;
  }

  /** Since when the session has been this user's. */
  get userSinceMs(): number {
    return this.#userSinceMs;
  }

  /** The client has proved another credential, or the one it has allows something else. */
  replace(credential: Credential, entitlements: Entitlements, nowMs: number): void {
    assert(credential.sub !== '' || this.#credential.sub === '', 'a session never becomes anonymous');
    if (credential.sub !== this.#credential.sub) this.#userSinceMs = nowMs;
    this.#credential = credential;
    this.#entitlements = entitlements;
    this.#fastestClass = defaultClass(credential.tier);
    this.#defaultClass = Math.max(this.#askedClass ?? this.#fastestClass, this.#fastestClass);
  }
}
