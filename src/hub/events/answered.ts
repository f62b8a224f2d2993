/**
 * Answers to publications, including pending ones, by user and key: a client that repeats a publication gets the same
 * answer. Each user has a share, and when the total is reached, the user with the most loses first. So no user can
 * push out the answers of others by publishing a lot.
 */

import { BoundedMap } from '../../protocol/bounded-map.js';
import type { PublicationOutcome } from './publication-outcome.js';

/** Maximum answers remembered in total; beyond it, the user with the most loses the oldest. */
export const ANSWERS_MAX = 10_000;
/** Maximum per user; the user's oldest is evicted first. */
export const ANSWERS_PER_OWNER_MAX = 1_000;

export interface Answer {
  readonly content: string;
  readonly outcome: Promise<PublicationOutcome>;
}

export class Answered {
  /** The newest of an owner is last. */
  readonly #byOwner = new Map<number, BoundedMap<string, Answer>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(owner: number, key: string): Answer | undefined {
    return this.#byOwner.get(owner)?.get(key);
  }

  put(owner: number, key: string, answer: Answer): void {
    const own = this.#byOwner.get(owner) ?? new BoundedMap<string, Answer>(ANSWERS_PER_OWNER_MAX);
    this.#byOwner.set(owner, own);
    this.#size -= own.size;
    own.set(key, answer);
    this.#size += own.size;
    if (this.#size > ANSWERS_MAX) this.#forgetOldestOfLargest();
  }

  /** Forgets this answer, unless another has replaced it. */
  remove(owner: number, key: string, answer: Answer): void {
    if (this.find(owner, key) === answer) this.#forget(owner, key);
  }

  #forgetOldestOfLargest(): void {
    let largest = 0;
    let most = 0;
    for (const [owner, own] of this.#byOwner) {
      if (own.size <= most) continue;
      largest = owner;
      most = own.size;
    }
    for (const oldest of this.#byOwner.get(largest)?.keys() ?? []) {
      this.#forget(largest, oldest);
      return;
    }
  }

  #forget(owner: number, key: string): void {
    const own = this.#byOwner.get(owner);
    if (own?.delete(key) !== true) return;
    this.#size--;
    if (own.size === 0) this.#byOwner.delete(owner);
  }
}
