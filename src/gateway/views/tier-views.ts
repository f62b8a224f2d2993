/** The views of one tier, looked up by source and lane number as frames arrive. */
import type { View } from '../model/session.js';

/** The views of one tier by source and lane number, and its `trades:*` views. */
export class TierViews {
  readonly #bySource: (View | undefined)[][] = [];
  readonly #allTrades: (View | undefined)[] = [];

  get(source: number, lane: number): View | undefined {
    return this.#bySource[source]?.[lane];
  }

  allTrades(lane: number): View | undefined {
    return this.#allTrades[lane];
  }

  /**
   * Encoders answer for `trades:*` one after another; until the last has answered, the positions from the first are
   * recorded.
   */
  putAllTrades(view: View): void {
    this.#allTrades[view.lane] = view;
  }

  forgetTrades(sources: readonly number[]): void {
    for (const view of this.#allTrades) for (const source of sources) view?.seqs.forget(source);
  }

  put(view: View): void {
    this.#bySource[view.source] ??= [];
    (this.#bySource[view.source] as View[])[view.lane] = view;
  }

  remove(view: View): void {
    if (view.isAllTrades) this.#allTrades[view.lane] = undefined;
    if (view.source < 0) return;
    const lanes = this.#bySource[view.source];
    if (lanes !== undefined) lanes[view.lane] = undefined;
  }
}
