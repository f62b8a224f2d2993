/** State subjects that lack a message and are held back, as reported by their encoders. */

import { STALE_REASON_NAMES, type StaleReason } from '../protocol/codes.js';
import type { Hold } from '../threads/batch.js';
import type { Subject } from './sources/subject-table.js';

export class Holds {
  readonly #held = new Map<Subject, Hold>();
  /** How often a subject was held back, by reason. */
  readonly counts: ReadonlyMap<StaleReason, number>;
  readonly #counts: Map<StaleReason, number>;
  readonly #onChange: (name: string, hold: Hold | null) => void;

  /** @param onChange called when a subject is held back, and (null) when it is whole again */
  constructor(onChange: (name: string, hold: Hold | null) => void) {
    this.#onChange = onChange;
    this.#counts = new Map(STALE_REASON_NAMES.map(reason => [reason, 0]));
    this.counts = this.#counts;
  }

  /** Subjects that are held back now, by reason. */
  get current(): ReadonlyMap<StaleReason, number> {
    const current = new Map<StaleReason, number>(STALE_REASON_NAMES.map(reason => [reason, 0]));
    for (const { reason } of this.#held.values()) current.set(reason, (current.get(reason) ?? 0) + 1);
    return current;
  }

  /** Why the subject is held back; undefined: it is not. */
  reasonOf(subject: Subject): StaleReason | undefined {
    return this.#held.get(subject)?.reason;
  }

  change(subject: Subject, hold: Hold | null): void {
    if (hold === null) {
      if (this.#held.delete(subject)) this.#onChange(subject.name, null);
      return;
    }
    const isNew = !this.#held.has(subject);
    this.#held.set(subject, hold);
    // A new encoder repeats what its predecessor reported.
    if (!isNew) return;
    this.#counts.set(hold.reason, (this.#counts.get(hold.reason) ?? 0) + 1);
    this.#onChange(subject.name, hold);
  }

  forget(subject: Subject): void {
    this.#held.delete(subject);
  }
}
