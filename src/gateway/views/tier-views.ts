/** The lanes of one tier as frames find them: by source and lane. */
import type { LaneEntry } from '../model/session.js';

/** All trades of a lane, and the entries of one tier by source and lane. */
export class TierTable {
  readonly #bySource: (LaneEntry | undefined)[][] = [];
  readonly #allTrades: (LaneEntry | undefined)[] = [];

  get(source: number, lane: number): LaneEntry | undefined {
    return this.#bySource[source]?.[lane];
  }

  allTrades(lane: number): LaneEntry | undefined {
    return this.#allTrades[lane];
  }

  /** Encoders answer for all trades one after another: where the sources of the first stand is noted meanwhile. */
  putAllTrades(entry: LaneEntry): void {
    this.#allTrades[entry.lane] = entry;
  }

  forgetTrades(sources: readonly number[]): void {
    for (const entry of this.#allTrades) for (const source of sources) entry?.seqs.forget(source);
  }

  put(entry: LaneEntry): void {
    this.#bySource[entry.source] ??= [];
    (this.#bySource[entry.source] as LaneEntry[])[entry.lane] = entry;
  }

  remove(entry: LaneEntry): void {
    if (entry.isAllTrades) this.#allTrades[entry.lane] = undefined;
    if (entry.source < 0) return;
    const lanes = this.#bySource[entry.source];
    if (lanes !== undefined) lanes[entry.lane] = undefined;
  }
}
