/** Tells the workers at the end of each turn what became known in it, in one message each. */
import type { ToWorker } from '../threads/thread-messages.js';
import type { Source } from './sources/source-table.js';

export class Announcements {
  readonly #toAll: (message: ToWorker) => void;
  readonly #symbols = new Set<string>();
  readonly #forgotten = new Set<string>();
  #forgottenSources: number[] = [];
  #eventSources: [number, string][] = [];
  #isScheduled = false;

  constructor(toAll: (message: ToWorker) => void) {
    this.#toAll = toAll;
  }

  symbol(symbol: string): void {
    this.#symbols.add(symbol);
    this.#schedule();
  }

  /** If a symbol becomes known again in the same turn, the workers learn that last. */
  forgotten(symbol: string, sources: readonly number[]): void {
    this.#symbols.delete(symbol);
    this.#forgotten.add(symbol);
    for (const id of sources) this.#forgottenSources.push(id);
    this.#eventSources = this.#eventSources.filter(([id]) => !sources.includes(id));
    this.#schedule();
  }

  /** `trades:*` needs the names of its sources. */
  tradesSource({ id, symbol }: Source): void {
    this.#eventSources.push([id, symbol]);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const [symbols, forgotten] = [[...this.#symbols], [...this.#forgotten]];
      const forgottenSources = this.#forgottenSources;
      const sources = this.#eventSources;
      this.#symbols.clear();
      this.#forgotten.clear();
      this.#forgottenSources = [];
      this.#eventSources = [];
      if (forgotten.length > 0) this.#toAll({ type: 'forgotten', symbols: forgotten, sources: forgottenSources });
      if (symbols.length > 0) this.#toAll({ type: 'symbols', symbols });
      if (sources.length > 0) this.#toAll({ type: 'event_sources', sources });
    });
  }
}
