/** Recent client messages by subject and key: a repeated one is dropped. */
import { BoundedMap } from '../../protocol/bounded-map.js';
import type { StreamPosition } from '../../protocol/stream-position.js';

/** Maximum keys per subject; the oldest are evicted first. */
export const KEYS_PER_SUBJECT_MAX = 1_000;
/** Maximum keys in total; those of the subject that has been silent longest are evicted first. */
export const KEYS_MAX = 100_000;

/** A message that arrived, and its position. */
interface Arrival extends StreamPosition {
  readonly content: string;
}

export class RecentKeys {
  /** The subject that has been silent longest is first. */
  readonly #bySubject = new Map<string, BoundedMap<string, Arrival>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(subject: string, key: string): Arrival | undefined {
    return this.#bySubject.get(subject)?.get(key);
  }

  add(subject: string, key: string, arrival: Arrival): void {
    const keys = this.#bySubject.get(subject) ?? new BoundedMap<string, Arrival>(KEYS_PER_SUBJECT_MAX);
    this.#bySubject.delete(subject);
    this.#bySubject.set(subject, keys);
    const before = keys.size;
    keys.set(key, arrival);
    this.#size += keys.size - before;
    if (this.#size > KEYS_MAX) this.#forgetOldest();
  }

  /** The oldest key of the subject that has been silent longest. */
  #forgetOldest(): void {
    for (const [subject, keys] of this.#bySubject) {
      this.#size -= keys.forgetOldest();
      if (keys.size === 0) this.#bySubject.delete(subject);
      return;
    }
  }
}
