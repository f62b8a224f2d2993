/** Tells the workers what became known, at the end of the turn, once for all that is new in it. */
import type { ToWorker } from '../protocol/thread-messages.js';
import type { Source } from './source-table.js';

export class Announcements {
  readonly #toAll: (message: ToWorker) => void;
  #symbols: string[] = [];
  #eventSources: [number, string][] = [];
  #isScheduled = false;

  constructor(toAll: (message: ToWorker) => void) {
    this.#toAll = toAll;
  }

  symbol(symbol: string): void {
    this.#symbols.push(symbol);
    this.#schedule();
  }

  /** The trades of all symbols need the names of their sources. */
  tradesSource({ id, symbol }: Source): void {
    this.#eventSources.push([id, symbol]);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const symbols = this.#symbols;
      const sources = this.#eventSources;
      this.#symbols = [];
      this.#eventSources = [];
      if (symbols.length > 0) this.#toAll({ type: 'symbols', symbols });
      if (sources.length > 0) this.#toAll({ type: 'event_sources', sources });
    });
  }
}
