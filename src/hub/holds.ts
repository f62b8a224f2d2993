/** State sources that lack a message and are held back, as reported by their encoders. */

import { STALE_REASON_NAMES, type StaleReason } from '../protocol/codes.js';
import type { Hold } from '../threads/batch.js';
import type { Source } from './sources/source-table.js';

export class Holds {
  readonly #held = new Map<Source, Hold>();
  /** How often a source was held back, by reason. */
  readonly counts: ReadonlyMap<StaleReason, number>;
  readonly #counts: Map<StaleReason, number>;
  readonly #onChange: (subject: string, hold: Hold | null) => void;

  /** @param onChange called when a source is held back, and (null) when it is whole again */
  constructor(onChange: (subject: string, hold: Hold | null) => void) {
    this.#onChange = onChange;
    this.#counts = new Map(STALE_REASON_NAMES.map(reason => [reason, 0]));
    this.counts = this.#counts;
  }

  /** Sources that are held back now, by reason. */
  get current(): ReadonlyMap<StaleReason, number> {
    const current = new Map<StaleReason, number>(STALE_REASON_NAMES.map(reason => [reason, 0]));
    for (const { reason } of this.#held.values()) current.set(reason, (current.get(reason) ?? 0) + 1);
    return current;
  }

  change(source: Source, hold: Hold | null): void {
    if (hold === null) {
      if (this.#held.delete(source)) this.#onChange(source.subject, null);
      return;
    }
    const isNew = !this.#held.has(source);
    this.#held.set(source, hold);
    // A new encoder repeats what its predecessor reported.
    if (!isNew) return;
    this.#counts.set(hold.reason, (this.#counts.get(hold.reason) ?? 0) + 1);
    this.#onChange(source.subject, hold);
  }

  forget(source: Source): void {
    this.#held.delete(source);
  }
}
